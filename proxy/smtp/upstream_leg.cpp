#include "proxy/smtp/upstream_leg.h"

namespace gatepost::smtp {

std::string_view to_string(Awaited awaited) {
    switch (awaited) {
        case Awaited::kMail: return "MAIL";
        case Awaited::kRcpt: return "RCPT";
        case Awaited::kData: return "DATA";
        case Awaited::kEndOfData: return "EOD";
        case Awaited::kChunk:
        case Awaited::kLastChunk: return "BDAT";
        case Awaited::kReset: return "RSET";
        case Awaited::kQuit: return "QUIT";
    }
    return "";
}

UpstreamLeg::Result UpstreamLeg::next(ByteView bytes, std::string& out) {
    if (state_ == State::kFailed || bytes.empty()) return {Event::kNone, bytes.size()};
    const ReplyReader::Result read = reader_.next(bytes);
    Result result{Event::kNone, read.consumed};
    const bool opens = state_ != State::kReady;
    switch (read.status) {
        case ReplyReader::Status::kNeedMore: break;
        case ReplyReader::Status::kNonsense: result.event = Event::kNonsense; break;
        case ReplyReader::Status::kReply:
            result.event = take_reply(out);
            result.ends_silence = opens;
            break;
    }
    switch (result.event) {
        case Event::kNonsense:
        case Event::kGoingAway:
        case Event::kNoTls:
        case Event::kRefused: state_ = State::kFailed; break;
        case Event::kNone:
        case Event::kReady:
        case Event::kStartTls:
        case Event::kReply: break;
    }
    return result;
}

UpstreamLeg::Event UpstreamLeg::take_reply(std::string& out) {
    if (reply().code == 421) return Event::kGoingAway;
    switch (state_) {
        case State::kGreeting: return take_greeting(out);
        case State::kEhlo:
        case State::kHelo: return take_hello(out);
        case State::kStartTls: return take_start_tls();
        case State::kReady: return take_answer();
        case State::kHandshake:
        case State::kFailed: break;
    }
    return Event::kNonsense;
}

UpstreamLeg::Event UpstreamLeg::take_greeting(std::string& out) {
    if (reply().code >= 400) return Event::kRefused;
    if (reply().code != 220) return Event::kNonsense;
    say_ehlo(out);
    return Event::kNone;
}

void UpstreamLeg::say_ehlo(std::string& out) {
    out += "EHLO ";
    out += our_name_;
    out += kCrlf;
    state_ = State::kEhlo;
}

void UpstreamLeg::secured(std::string& out) {
    capabilities_ = {};
    start_tls_ = StartTls::kNever;
    say_ehlo(out);
}

UpstreamLeg::Event UpstreamLeg::take_hello(std::string& out) {
    if (reply().is_permanent() && state_ == State::kEhlo) {
        out += "HELO ";
        out += our_name_;
        out += kCrlf;
        state_ = State::kHelo;
        return Event::kNone;
    }
    if (reply().code >= 400) return Event::kRefused;
    if (reply().code != 250) return Event::kNonsense;
    if (state_ == State::kEhlo) {
        capabilities_.esmtp = true;
        ByteView lines = reply().text;
        // The first line greets; each other one is a keyword.
        for (std::size_t end = lines.find('\n'); end != ByteView::npos; end = lines.find('\n')) {
            lines.remove_prefix(end + 1);
            capabilities_.add_line(lines.substr(0, lines.find('\n')));
        }
    }
    if (start_tls_ != StartTls::kNever && capabilities_.starttls) {
        out += "STARTTLS\r\n";
        state_ = State::kStartTls;
        return Event::kNone;
    }
    if (start_tls_ == StartTls::kRequired) return Event::kNoTls;
    state_ = State::kReady;
    return Event::kReady;
}

UpstreamLeg::Event UpstreamLeg::take_start_tls() {
    if (reply().code == 220) {
        state_ = State::kHandshake;
        return Event::kStartTls;
    }
    if (reply().code < 400) return Event::kNonsense;
    if (start_tls_ == StartTls::kRequired) return Event::kNoTls;
    state_ = State::kReady;
    return Event::kReady;
}

UpstreamLeg::Event UpstreamLeg::take_answer() {
    const std::optional<Awaited> first = give_up_next();
    if (!first) return Event::kNonsense;
    answered_ = *first;
    const int code = reply().code;
    const bool possible =
        answered_ == Awaited::kData ? code == 354 || code >= 400 : code < 300 || code >= 400;
    return possible ? Event::kReply : Event::kNonsense;
}

bool UpstreamLeg::can_send() const noexcept {
    if (state_ != State::kReady || count_ == kMaxAwaited) return false;
    return capabilities_.pipelining || count_ == 0;
}

std::optional<Awaited> UpstreamLeg::give_up_next() {
    if (count_ == 0) return std::nullopt;
    const Awaited first = queue_[head_];
    head_ = static_cast<std::uint8_t>((head_ + 1) % kMaxAwaited);
    --count_;
    return first;
}

void UpstreamLeg::await(Awaited awaited) {
    queue_[(head_ + count_) % kMaxAwaited] = awaited;
    ++count_;
}

}  // namespace gatepost::smtp

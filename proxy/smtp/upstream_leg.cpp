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

UpstreamLeg::Result UpstreamLeg::next(ByteView bytes) {
    if (has_failed_ || bytes.empty()) return {Event::kNone, bytes.size()};
    const ReplyReader::Result read = reader_.next(bytes);
    is_inside_reply_ = read.status == ReplyReader::Status::kNeedMore;
    Event event = Event::kNone;
    switch (read.status) {
        case ReplyReader::Status::kNeedMore: break;
        case ReplyReader::Status::kNonsense: event = Event::kNonsense; break;
        case ReplyReader::Status::kReply:
            event = reply().code == 421 ? Event::kGoingAway : take_answer();
            break;
    }
    has_failed_ = event == Event::kGoingAway || event == Event::kNonsense;
    return {event, read.consumed};
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
    if (has_failed_ || count_ == kMaxAwaited) return false;
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

#include "proxy/smtp/upstream_opening.h"

#include <utility>

#include "proxy/base/base64.h"
#include "proxy/smtp/xclient.h"

namespace gatepost::smtp {
namespace {

/// RFC 4954 section 4: a longer line waits for the challenge.
constexpr std::size_t kMaxCommand = 512;

std::string encode(const Secret& response) {
    return response.empty() ? "=" : base64_encode(response.reveal());
}

/// Some servers repeat the line that they do not like.
void strike_out(std::string& text, ByteView secret) {
    constexpr std::string_view kStruck = "(secret)";
    if (secret.empty()) return;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kStruck.size()))
        text.replace(at, secret.size(), kStruck);
}

std::string with_reply(std::string what, const Reply& reply) {
    what += ": " + std::to_string(reply.code) + ' ' + reply.text;
    return what;
}

}  // namespace

UpstreamOpening::Result UpstreamOpening::next(ByteView bytes, std::string& out) {
    if (state_ == State::kFailed || bytes.empty()) return {Event::kNone, bytes.size()};
    const ReplyReader::Result read = reader_.next(bytes);
    Event event = Event::kNone;
    switch (read.status) {
        case ReplyReader::Status::kNeedMore: break;
        case ReplyReader::Status::kNonsense: event = Event::kNonsense; break;
        case ReplyReader::Status::kReply:
            event = read.consumed < bytes.size() ? Event::kNonsense : take_reply(out);
            break;
    }
    switch (event) {
        case Event::kNoTls:
        case Event::kRefused:
        case Event::kAuthFailed:
        case Event::kNotHonoured:
        case Event::kNonsense: state_ = State::kFailed; break;
        case Event::kNone:
        case Event::kReady:
        case Event::kStartTls: break;
    }
    return {event, read.consumed};
}

UpstreamOpening::Event UpstreamOpening::take_reply(std::string& out) {
    if (reply().code == 421) return Event::kRefused;
    switch (state_) {
        case State::kGreeting: return take_greeting(out);
        case State::kEhlo:
        case State::kHelo: return take_hello(out);
        case State::kStartTls: return take_start_tls(out);
        case State::kAuth: return take_auth(out);
        case State::kXclient: return take_xclient(out);
        case State::kHandshake:
        case State::kReady:
        case State::kFailed: break;
    }
    return Event::kNonsense;
}

UpstreamOpening::Event UpstreamOpening::take_greeting(std::string& out) {
    if (reply().code >= 400) return Event::kRefused;
    if (reply().code != 220) return Event::kNonsense;
    say_ehlo(out);
    return Event::kNone;
}

UpstreamOpening::Event UpstreamOpening::take_hello(std::string& out) {
    if (reply().is_permanent() && state_ == State::kEhlo) {
        say("HELO " + settings_.our_name, out);
        state_ = State::kHelo;
        return Event::kNone;
    }
    if (reply().code >= 400) return Event::kRefused;
    if (reply().code != 250) return Event::kNonsense;
    capabilities_ = {};
    if (state_ == State::kEhlo) {
        capabilities_.esmtp = true;
        ByteView lines = reply().text;
        // The first line greets; each other one is a keyword.
        for (std::size_t end = lines.find('\n'); end != ByteView::npos; end = lines.find('\n')) {
            lines.remove_prefix(end + 1);
            capabilities_.add_line(lines.substr(0, lines.find('\n')));
        }
    }
    return go_on(out);
}

/// What is still to be done behind an answer to EHLO or HELO.
UpstreamOpening::Event UpstreamOpening::go_on(std::string& out) {
    if (!is_open_ && settings_.start_tls != StartTls::kNever && !tls_is_settled_) {
        tls_is_settled_ = true;
        if (capabilities_.starttls) {
            say("STARTTLS", out);
            state_ = State::kStartTls;
            return Event::kNone;
        }
        if (settings_.start_tls == StartTls::kRequired) return Event::kNoTls;
    }
    using Xclient = OpeningSettings::Xclient;
    if (!is_open_ && settings_.xclient == Xclient::kClient && !can_tell_client(capabilities_.xclient))
        return fail(Event::kNotHonoured, "XCLIENT with ADDR is not announced");
    if (!is_open_ && settings_.xclient == Xclient::kLogin && !can_tell_login(capabilities_.xclient))
        return fail(Event::kNotHonoured, "XCLIENT with LOGIN is not announced");
    if (settings_.needs_auth_parameter && capabilities_.auth_mechanisms.empty())
        return fail(Event::kNotHonoured, "AUTH, which mail_auth needs, is not announced");
    if (!is_open_ && settings_.auth) return begin_auth(out);
    is_open_ = true;
    state_ = State::kReady;
    return Event::kReady;
}

void UpstreamOpening::secured(std::string& out) {
    capabilities_ = {};
    is_tls_ = true;
    say_ehlo(out);
}

UpstreamOpening::Event UpstreamOpening::take_start_tls(std::string& out) {
    if (reply().code == 220) {
        state_ = State::kHandshake;
        return Event::kStartTls;
    }
    if (reply().code < 400) return Event::kNonsense;
    if (settings_.start_tls == StartTls::kRequired) return Event::kNoTls;
    return go_on(out);
}

UpstreamOpening::Event UpstreamOpening::begin_auth(std::string& out) {
    std::optional<AuthClient::Start> start = settings_.auth->begin(capabilities_.auth_mechanisms, is_tls_);
    if (!start) {
        return fail(Event::kAuthFailed, capabilities_.auth_mechanisms.empty()
                                            ? "AUTH is not announced"
                                            : "AUTH: none of PLAIN, LOGIN and CRAM-MD5 is announced");
    }
    mechanism_ = std::move(start->mechanism);
    std::string command = "AUTH " + mechanism_;
    if (start->initial_response) {
        std::string response = encode(*start->initial_response);
        if (command.size() + response.size() + 3 <= kMaxCommand) {
            command += ' ' + response;
            said_ = Secret(response);
        } else {
            late_response_ = std::move(start->initial_response);
        }
        wipe(response.data(), response.size());
    }
    say(command, out);
    wipe(command.data(), command.size());
    state_ = State::kAuth;
    return Event::kNone;
}

UpstreamOpening::Event UpstreamOpening::take_auth(std::string& out) {
    if (reply().code == 235) {
        is_open_ = true;
        state_ = State::kReady;
        return Event::kReady;
    }
    if (reply().code >= 400) {
        std::string what = with_reply("AUTH " + mechanism_ + " was refused", reply());
        strike_out(what, said_.reveal());
        return fail(Event::kAuthFailed, std::move(what));
    }
    if (reply().code != 334) return Event::kNonsense;
    std::optional<Secret> response = std::exchange(late_response_, std::nullopt);
    if (!response) {
        if (const std::optional<Secret> challenge = base64_decode(reply().text))
            response = settings_.auth->answer(mechanism_, step_++, challenge->reveal());
    }
    if (!response) return fail(Event::kAuthFailed, "AUTH " + mechanism_ + ": a challenge that cannot be");
    std::string line = encode(*response);
    said_ = Secret(line);
    say(line, out);
    wipe(line.data(), line.size());
    return Event::kNone;
}

void UpstreamOpening::introduce(const std::string& xclient_command, std::string& out) {
    out += xclient_command;
    state_ = State::kXclient;
}

/// Answered like a connection: 220, then EHLO anew. Any other answer would leave somebody else's name in
/// force (decisions 19).
UpstreamOpening::Event UpstreamOpening::take_xclient(std::string& out) {
    if (reply().code != 220) return fail(Event::kNotHonoured, with_reply("XCLIENT was refused", reply()));
    say_ehlo(out);
    return Event::kNone;
}

UpstreamOpening::Event UpstreamOpening::fail(Event event, std::string what) {
    what_ = std::move(what);
    return event;
}

void UpstreamOpening::say_ehlo(std::string& out) {
    say("EHLO " + settings_.our_name, out);
    state_ = State::kEhlo;
}

void UpstreamOpening::say(std::string_view command, std::string& out) {
    out += command;
    out += kCrlf;
}

}  // namespace gatepost::smtp

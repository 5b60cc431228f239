// Octets, lines, deadlines and ends. What commands do is in commands.cpp, authentication.cpp,
// transaction.cpp, message_data.cpp and upstream.cpp.
#include "proxy/session/conversation.h"

#include <algorithm>
#include <utility>

#include "proxy/session/transaction.h"

namespace gatepost::session {
namespace replies = smtp::replies;

namespace {

/// Whose doing it is that a transaction is cut. Whom an operator kicks is not failed by Gatepost, and would
/// else use up what it may fail (docs/monitoring.md).
Origin origin_of(CloseReason reason) {
    switch (reason) {
        case CloseReason::kQuit:
        case CloseReason::kClientGone:
        case CloseReason::kCommandTimeout:
        case CloseReason::kAuthTimeout:
        case CloseReason::kTlsTimeout:
        case CloseReason::kDataTimeout:
        case CloseReason::kAuthLimit:
        case CloseReason::kErrorLimit:
        case CloseReason::kProtocolError:
        case CloseReason::kKicked: return Origin::kClient;
        case CloseReason::kRateLimit: return Origin::kPolicy;
        case CloseReason::kDrain: break;
    }
    return Origin::kGateway;
}

}  // namespace

Conversation::Conversation(const Settings& settings, ClientFacts client, Actions& actions)
    : settings_(settings), actions_(actions), client_(std::move(client)) {}

Conversation::~Conversation() = default;

/// So that a flood of handshakes is counted too, and those that never finish.
void Conversation::on(ClientArrived /*event*/) {
    arrived_before_tls_ = true;
    if (!asks_allowance(LimitedStep::What::kConnect,
                        settings_.limits.questions(policy::LimitMoment::kConnect, subject())))
        admit();
    settle();
}

void Conversation::on(const ClientConnected& event) {
    tls_ = event.tls;
    offer_ = event.offer;
    auth_offer_ = event.auth;
    if (greeting_refusal_) {
        say(*greeting_refusal_);
        return close(CloseReason::kRateLimit);
    }
    if (draining_) return say_and_close(replies::kShuttingDown, CloseReason::kDrain);
    if (arrived_before_tls_ ||
        !asks_allowance(LimitedStep::What::kConnect,
                        settings_.limits.questions(policy::LimitMoment::kConnect, subject())))
        welcome();
    settle();
}

void Conversation::welcome() {
    std::string greeting = "220 ";
    greeting += settings_.hostname;
    greeting += " ESMTP Gatepost\r\n";
    actions_.send_to_client(greeting);
    enter(State::kAwaitingCommand);
}

void Conversation::on(const TlsEstablished& event) {
    if (state_ != State::kAwaitingTls) return;
    tls_ = true;
    offer_ = event.offer;
    auth_offer_ = event.auth;
    // Everything learnt before the handshake is forgotten (RFC 3207 section 4.2).
    client_leg_ = smtp::ClientLeg();
    authenticated_ = false;
    identity_ = {};
    leave_login();
    release_upstream();
    enter(State::kAwaitingCommand);
    settle();
}

std::size_t Conversation::on(const BytesFromClient& event) {
    now_ = event.now;
    std::size_t consumed = 0;
    while (state_ != State::kClosed) {
        const State before = state_;
        const std::size_t taken = take_some(event.bytes.substr(consumed));
        consumed += taken;
        if (taken == 0 && state_ == before) break;
    }
    has_unread_ = consumed < event.bytes.size();
    settle();
    return consumed;
}

void Conversation::on(VerdictArrived event) {
    if (state_ != State::kAwaitingVerdict && state_ != State::kAwaitingLateVerdict) return;
    take_verdict(event.verdict);
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

void Conversation::on(const LimitsAnswered& event) {
    if (state_ == State::kAwaitingAllowance) {
        take_allowance(event);
    } else if (state_ == State::kAwaitingLimits || state_ == State::kAwaitingLateLimits) {
        take_limits(event.answers);
    } else {
        return;
    }
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

void Conversation::on(ClientClosed /*event*/) {
    if (state_ == State::kClosed) return;
    client_gone_ = true;
    // The message is the upstream's now: its answer decides, whoever is left to hear it (decisions 7).
    if (state_ == State::kAwaitingFinal) return;
    close(CloseReason::kClientGone);
}

void Conversation::on(DrainRequested /*event*/) {
    draining_ = true;
    // Nothing was looked at yet, or nothing more will be.
    const bool has_begun_nothing = state_ == State::kAwaitingAuthLine ||
                                   state_ == State::kAwaitingGuessDelay ||
                                   (state_ == State::kAwaitingRoom && !transaction_);
    // A handshake goes on, as long as one may take: 421 is said behind it.
    if (has_begun_nothing && is_heard()) {
        say_and_close(replies::kShuttingDown, CloseReason::kDrain);
    } else if (has_begun_nothing) {
        limited_.reset();  // for 421 there is room
        admit();
    }
    settle();
}

void Conversation::on(KickRequested /*event*/) {
    kicked_ = true;
    if (state_ == State::kAwaitingFinal)
        return;  // its answer decides whether the message exists (decisions 7)
    if (!is_heard()) return close(CloseReason::kKicked);
    say_and_close(replies::kEndedByOperator, CloseReason::kKicked);
}

void Conversation::on(SessionCut /*event*/) {
    close(CloseReason::kDrain);
}

void Conversation::on(TimerFired event) {
    progressed_ = true;
    switch (state_) {
        case State::kConnecting:
        case State::kAwaitingTls: close(CloseReason::kTlsTimeout); break;
        case State::kAwaitingCommand:
            if (upstream_owes() || event.upstream_is_stuck) {
                upstream_failed(replies::kUpstreamTimeout, "no answer in time");
            } else {
                say_and_close(replies::kTimeout, CloseReason::kCommandTimeout);
            }
            break;
        case State::kAwaitingAllowance: allowance_too_late(); break;
        case State::kAwaitingRoom: ask_for_allowance(); break;
        case State::kAwaitingAuthLine: say_and_close(replies::kTimeout, CloseReason::kAuthTimeout); break;
        case State::kAwaitingLimits: enter(State::kAwaitingLateLimits); break;
        case State::kAwaitingLateLimits: limits_too_late(); break;
        case State::kAwaitingGuessDelay: guess_delay_over(); break;
        case State::kAwaitingGuessRefusal: answer_auth_refusal(); break;
        case State::kAwaitingVerdict: enter(State::kAwaitingLateVerdict); break;
        case State::kAwaitingLateVerdict:
            actions_.cancel_verifier();
            end_auth(AuthEnd::kUnavailable, auth::Reason::kDeadline, replies::kAuthUnavailable);
            break;
        case State::kAwaitingAuthDelay: auth_delay_over(); break;
        case State::kAwaitingUpstream:
            upstream_not_opened(UpstreamOutcome::kTimedOut, replies::kUpstreamUnreachable);
            break;
        case State::kAwaitingReset:
            upstream_not_opened(UpstreamOutcome::kTimedOut, replies::kUpstreamTimeout);
            break;
        case State::kAwaitingGoAhead:
        case State::kAwaitingFinal: upstream_failed(replies::kUpstreamTimeout, "no answer in time"); break;
        case State::kReceivingData:
        case State::kReceivingChunk:
            if (event.upstream_is_stuck) {
                upstream_failed(replies::kUpstreamTimeout, "takes no data");
            } else {
                say_and_close(replies::kTimeout, CloseReason::kDataTimeout);
            }
            break;
        case State::kRefusingData:
        case State::kRefusingChunk: say_and_close(replies::kTimeout, CloseReason::kDataTimeout); break;
        case State::kClosed: break;
    }
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

/// Inside a handshake, and before it, nothing can be said.
bool Conversation::is_heard() const noexcept {
    return state_ != State::kConnecting && state_ != State::kAwaitingTls && (tls_ || !arrived_before_tls_);
}

bool Conversation::is_between_transactions() const noexcept {
    return !transaction_ && owed_ == 0;
}

void Conversation::enter(State state) {
    state_ = state;
    progressed_ = true;
}

/// The end of each event: what became possible by it, and the deadline for what is waited for now.
void Conversation::settle() {
    return_upstream();
    if ((draining_ || kicked_) && state_ == State::kAwaitingCommand && is_between_transactions()) {
        if (kicked_) {
            say_and_close(replies::kEndedByOperator, CloseReason::kKicked);
        } else {
            say_and_close(replies::kShuttingDown, CloseReason::kDrain);
        }
    }
    arm_deadline();
}

void Conversation::arm_deadline() {
    if (!progressed_) return;
    progressed_ = false;
    switch (state_) {
        case State::kConnecting:
        case State::kAwaitingTls: return actions_.set_deadline(settings_.handshake_timeout);
        case State::kAwaitingCommand:
            return actions_.set_deadline(upstream_owes() ? upstream_settings().reply_timeout
                                                         : settings_.command_timeout);
        case State::kAwaitingAllowance: return actions_.set_deadline(settings_.limits_timeout);
        case State::kAwaitingRoom: return actions_.set_deadline(limited_->wait);
        case State::kAwaitingAuthLine:
        case State::kAwaitingLateLimits:
        case State::kAwaitingLateVerdict: return actions_.set_deadline(settings_.auth_timeout);
        case State::kAwaitingGuessDelay: return actions_.set_deadline(guess_delay_);
        case State::kAwaitingLimits:
        case State::kAwaitingGuessRefusal:
        case State::kAwaitingVerdict:
        case State::kAwaitingAuthDelay: return actions_.set_deadline(settings_.failure_delay);
        case State::kAwaitingUpstream: return actions_.set_deadline(upstream_settings().connect_timeout);
        case State::kAwaitingReset:
        case State::kAwaitingGoAhead:
        case State::kAwaitingFinal: return actions_.set_deadline(upstream_settings().reply_timeout);
        case State::kReceivingData:
        case State::kRefusingData:
        case State::kReceivingChunk:
        case State::kRefusingChunk: return actions_.set_deadline(settings_.data_timeout);
        case State::kClosed: return;
    }
}

std::size_t Conversation::take_some(ByteView bytes) {
    switch (state_) {
        case State::kAwaitingCommand:
        case State::kAwaitingAuthLine: return take_line(bytes);
        case State::kReceivingData: return take_data(bytes);
        case State::kReceivingChunk: return take_chunk(bytes);
        case State::kRefusingData: return take_refused_data(bytes);
        case State::kRefusingChunk: return take_refused_chunk(bytes);
        case State::kConnecting:
        case State::kAwaitingTls:
        case State::kAwaitingAllowance:
        case State::kAwaitingRoom:
        case State::kAwaitingLimits:
        case State::kAwaitingLateLimits:
        case State::kAwaitingGuessDelay:
        case State::kAwaitingGuessRefusal:
        case State::kAwaitingVerdict:
        case State::kAwaitingLateVerdict:
        case State::kAwaitingAuthDelay:
        case State::kAwaitingUpstream:
        case State::kAwaitingReset:
        case State::kAwaitingGoAhead:
        case State::kAwaitingFinal:
        case State::kClosed: return 0;
    }
    return 0;
}

std::size_t Conversation::take_line(ByteView bytes) {
    using Status = smtp::LineReader::Status;
    if (bytes.empty()) return 0;
    const bool in_auth = state_ == State::kAwaitingAuthLine;
    if (!client_leg_.is_dropping()) {
        line_is_auth_ = in_auth || smtp::equal_ignoring_case(bytes.substr(0, 5), "AUTH ");
    }
    const std::size_t limit = line_is_auth_ ? kMaxAuthLine : settings_.max_line_length;
    // A verdict on the line itself is a reply of our own: it must not overtake the upstream's.
    if (owed_ > 0 && !smtp::has_whole_line(bytes, limit)) return 0;

    const smtp::LineReader::Result read = client_leg_.next_line(bytes, limit);
    if (read.status == Status::kNeedMore) return read.consumed;
    if (read.status != Status::kLine) {
        refuse_line(read.status);
        return read.consumed;
    }
    if (in_auth) {
        progressed_ = true;
        actions_.report(CommandCompleted{});
        const bool was_named = !exchange_->user().empty();
        take_turn(exchange_->line(read.line), was_named);
        return read.consumed;
    }
    const smtp::Command command = smtp::parse_command(read.line);
    if (must_wait(command)) return 0;
    ++commands_;
    progressed_ = true;
    actions_.report(CommandTaken{.is_first = owed_ == 0});
    obey(command, bytes.substr(read.consumed));
    return read.consumed;
}

void Conversation::refuse_line(smtp::LineReader::Status status) {
    progressed_ = true;
    if (status == smtp::LineReader::Status::kBadEnding) {
        actions_.report(ProtocolBroken{Breach::kBareNewline});
        say_and_close(replies::kBareNewlineInCommand, CloseReason::kProtocolError);
        return;
    }
    const smtp::StaticReply& reply = line_is_auth_ ? replies::kAuthLineTooLong : replies::kLineTooLong;
    actions_.report(ProtocolBroken{Breach::kLineTooLong});
    if (exchange_) return end_auth(AuthEnd::kMalformed, auth::Reason::kBadMessage, reply);
    if (line_is_auth_) report_auth(AuthEnd::kMalformed, auth::Reason::kBadMessage);
    if (!ends_with_this_error()) answer(line_is_auth_ ? smtp::Verb::kAuth : smtp::Verb::kUnknown, reply);
}

void Conversation::say_and_close(const smtp::StaticReply& reply, CloseReason reason) {
    if (state_ == State::kClosed) return;
    say(reply);
    close(reason);
}

void Conversation::close(CloseReason reason) {
    if (state_ == State::kClosed) return;
    abandon_auth(reason == CloseReason::kAuthTimeout ? auth::Reason::kClientSilent
                                                     : auth::Reason::kClientGone);
    leave_limits();
    release_upstream();
    give_up_message(origin_of(reason));
    state_ = State::kClosed;
    actions_.close(reason);
}

}  // namespace gatepost::session

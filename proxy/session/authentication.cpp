// AUTH (RFC 4954): from the command to 235, and every way in which it does not get there.
#include <algorithm>

#include "auth/dialogue/mechanisms.h"
#include "proxy/session/conversation.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using smtp::Verb;

void Conversation::authenticate(ByteView argument) {
    if (authenticated_) {
        report_auth(AuthEnd::kNotOffered, auth::Reason::kNone);
        return refuse(Verb::kAuth, replies::kAuthAlready);
    }
    if (failed_attempts_ >= settings_.max_attempts) {
        report_auth(AuthEnd::kNotOffered, auth::Reason::kNone);
        return say_and_close(replies::kTooManyFailures, CloseReason::kAuthLimit);
    }
    const std::optional<auth::AuthArguments> arguments = auth::parse_auth_arguments(argument);
    if (!arguments) {
        report_auth(AuthEnd::kMalformed, auth::Reason::kBadMessage);
        return refuse(Verb::kAuth, replies::kBadAuthSyntax);
    }
    exchange_ = std::make_unique<auth::Exchange>(arguments->mechanism);
    actions_.report(AuthBegun{});
    if (const smtp::StaticReply* const refusal = refusal_of_mechanism(arguments->mechanism)) {
        const bool needs_tls = refusal == &replies::kEncryptionRequired;
        return end_auth(needs_tls ? AuthEnd::kTlsRequired : AuthEnd::kNotOffered, auth::Reason::kNone,
                        *refusal);
    }
    take_turn(exchange_->begin(arguments->initial), false);
}

/// nullptr = it is offered here and now.
const smtp::StaticReply* Conversation::refusal_of_mechanism(const std::string& mechanism) const {
    if (mechanisms().empty()) return &replies::kAuthNotOffered;
    if (!client_leg_.is_esmtp()) return &replies::kGreetFirst;
    if (offers(mechanism)) return nullptr;
    const bool is_known = std::ranges::find(mechanisms(), mechanism) != mechanisms().end();
    return is_known && !tls_ && auth::is_plaintext(mechanism) ? &replies::kEncryptionRequired
                                                              : &replies::kUnknownMechanism;
}

const std::vector<std::string>& Conversation::mechanisms() const noexcept {
    return auth_offer_.servable ? *auth_offer_.servable : settings_.mechanisms;
}

/// Here and now: what TLS brings along is there, or not needed.
bool Conversation::offers(std::string_view mechanism) const {
    if (std::ranges::find(mechanisms(), mechanism) == mechanisms().end()) return false;
    if (mechanism == "EXTERNAL") return tls_ && auth_offer_.has_certificate;
    if (tls_) return true;
    return auth::is_plaintext(mechanism) ? settings_.plaintext_without_tls : !mechanism.ends_with("-PLUS");
}

/// As in the EHLO line, each behind a blank; "" when AUTH is not offered at all.
std::string Conversation::offered_mechanisms() const {
    std::string line;
    if (authenticated_ || (settings_.require_tls && !tls_)) return line;
    for (const std::string& mechanism : mechanisms()) {
        if (offers(mechanism)) line.append(" ").append(mechanism);
    }
    return line;
}

/// `was_named`: the client had said before who it is.
void Conversation::take_turn(auth::Turn turn, bool was_named) {
    using Kind = auth::Turn::Kind;
    switch (turn.kind) {
        case Kind::kStep:
            if (asks_limits_first(turn.step, was_named)) return;
            // The failure delay counts from the client's last line, whatever the check costs (decisions 15).
            enter(State::kAwaitingVerdict);
            return actions_.ask_verifier(std::move(turn.step));
        case Kind::kCancelled: return end_auth(AuthEnd::kCancelled, turn.reason, replies::kCancelled);
        case Kind::kUndecodable: return end_auth(AuthEnd::kMalformed, turn.reason, replies::kUndecodable);
        case Kind::kMalformed: return end_auth(AuthEnd::kMalformed, turn.reason, replies::kMalformedResponse);
        case Kind::kUnacceptable:
            enter(State::kAwaitingVerdict);  // which is known already
            return end_auth_delayed(AuthEnd::kRefusedCredentials, turn.reason, true);
    }
}

void Conversation::take_verdict(auth::Verdict& verdict) {
    using auth::Outcome;
    auth_backend_ = verdict.identity.backend;
    auth_user_ = verdict.identity.user;
    switch (verdict.outcome) {
        case Outcome::kChallenge: {
            std::string line;
            smtp::append_lines(line, 334, auth::Exchange::challenge(verdict.challenge));
            actions_.send_to_client(line);
            return enter(State::kAwaitingAuthLine);
        }
        case Outcome::kAccepted:
            identity_ = std::move(verdict.identity);
            if (!asks_allowance(LimitedStep::What::kLogin, questions_of_login())) succeed();
            return;
        case Outcome::kRejected: return end_auth_delayed(AuthEnd::kRefusedCredentials, verdict.reason, true);
        case Outcome::kMalformed:
            return end_auth(AuthEnd::kMalformed, verdict.reason, replies::kMalformedResponse);
        case Outcome::kUnavailable:
            // Delayed whether it was a guess or not, so that the wait does not tell which.
            return end_auth_delayed(AuthEnd::kUnavailable, verdict.reason, verdict.is_guess);
        case Outcome::kBusy: return end_auth_delayed(AuthEnd::kBusy, verdict.reason, verdict.is_guess);
    }
}

policy::LimitBatch Conversation::questions_of_login() const {
    policy::LimitSubject about = subject();
    about.is_authenticated = true;
    return settings_.limits.questions(policy::LimitMoment::kLogin, about);
}

void Conversation::succeed() {
    authenticated_ = true;
    release_upstream();  // one that is held knows the client by no name, or by another
    end_auth(AuthEnd::kSucceeded, auth::Reason::kNone, replies::kAuthenticated);
}

void Conversation::end_auth_delayed(AuthEnd end, auth::Reason reason, bool is_guess) {
    auth_end_ = end;
    auth_reason_ = reason;
    if (is_guess) charge_failure();
    if (state_ == State::kAwaitingLateVerdict) return auth_delay_over();
    // Not enter(): the deadline that runs is the failure delay, and it goes on.
    state_ = State::kAwaitingAuthDelay;
}

void Conversation::auth_delay_over() {
    if (auth_end_ == AuthEnd::kRefusedCredentials) return answer_refused_credentials();
    end_auth(auth_end_, auth_reason_, replies::kAuthUnavailable);
}

void Conversation::answer_refused_credentials() {
    ++failed_attempts_;
    end_auth(AuthEnd::kRefusedCredentials, auth_reason_,
             tells_disabled() ? replies::kAccountDisabled : replies::kInvalidCredentials);
}

/// Who hears it has proved to know the password.
bool Conversation::tells_disabled() const noexcept {
    return settings_.says_disabled && auth_reason_ == auth::Reason::kDisabled;
}

void Conversation::finish_auth(AuthEnd end, auth::Reason reason) {
    report_auth(end, reason);
    exchange_.reset();
    waiting_step_.reset();
    actions_.cancel_verifier();  // where the dialogue ended and not the verifier, it still keeps its part
    enter(State::kAwaitingCommand);
}

void Conversation::end_auth(AuthEnd end, auth::Reason reason, const smtp::StaticReply& reply) {
    finish_auth(end, reason);
    // Wrong passwords have a limit of their own (decisions 2), and an outage is not the client's error.
    const bool is_error = end == AuthEnd::kCancelled || end == AuthEnd::kMalformed ||
                          end == AuthEnd::kNotOffered || end == AuthEnd::kTlsRequired;
    if (is_error) {
        refuse(Verb::kAuth, reply);
    } else {
        answer(Verb::kAuth, reply);
    }
}

void Conversation::report_auth(AuthEnd end, auth::Reason reason) {
    if (!std::exchange(attempt_is_counted_, false)) record_attempt();
    AuthEnded fact{.end = end, .reason = reason, .mechanism = {}, .user = {}, .backend = auth_backend_};
    if (exchange_) {
        fact.mechanism = exchange_->mechanism();
        // Of EXTERNAL and GSSAPI only the verifier knows who it is.
        fact.user = end == AuthEnd::kSucceeded ? identity_.user : exchange_->user();
        if (fact.user.empty()) fact.user = auth_user_;
    }
    actions_.report(fact);
    auth_backend_.clear();
    auth_user_.clear();
}

/// The client left or fell silent in the middle: neither a success nor a wrong password.
void Conversation::abandon_auth(auth::Reason reason) {
    if (!exchange_) return;
    actions_.cancel_verifier();
    report_auth(AuthEnd::kCancelled, reason);
    exchange_.reset();
    waiting_step_.reset();
}

}  // namespace gatepost::session

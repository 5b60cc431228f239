#include "auth/check/attempt.h"

#include <utility>

#include "auth/dialogue/names.h"

namespace gatepost::auth {
namespace {

/// For steps that need no record: nothing can be proved by them.
class Nobody final : public PasswordCheck {
    bool matches(std::string_view, ByteView) override { return false; }
    Secret scram_keys(std::string_view) override { return {}; }
    Secret plain_password() override { return {}; }
};

bool is_asked_elsewhere(const std::string& mechanism) {
    const Mechanism* const known = find_mechanism(mechanism);
    return known != nullptr && known->asks_elsewhere;
}

}  // namespace

Attempt::Attempt(ConnectionId connection, const std::string& name, Channel channel_facts)
    : id(connection),
      mechanism(name),
      asks_elsewhere(is_asked_elsewhere(name)),
      channel(std::move(channel_facts)),
      grammar(name) {}

Verdict refusal(Outcome outcome, Reason reason) {
    return {.outcome = outcome, .reason = reason, .challenge = {}, .identity = {}};
}

ExchangeFacts Attempt::facts() const {
    ExchangeFacts facts{
        .binding_type = std::string(grammar.binding_type()), .binding = {}, .external_name = {}};
    if (facts.binding_type == "tls-exporter") facts.binding = channel.exporter;
    if (facts.binding_type == "tls-server-end-point") facts.binding = channel.end_point;
    if (mechanism == "EXTERNAL") facts.external_name = channel.certificate_name;
    return facts;
}

Verdict Attempt::run() {
    Nobody nobody;
    Verdict verdict = exchange->step(message, check ? static_cast<PasswordCheck&>(*check) : nobody);
    verdict = asks_elsewhere ? vouched(std::move(verdict)) : believed(std::move(verdict));
    verdict.identity = identity();
    return verdict;
}

/// The engine's word is all there is of the proof, and not yet the last one: whatever takes this verdict for
/// the end refuses. A name that nobody can have here belongs to nobody, nor does an anonymous ticket
/// (RFC 8062).
Verdict Attempt::vouched(Verdict verdict) {
    if (verdict.outcome != Outcome::kAccepted) return verdict;
    if (!is_acceptable_name(verdict.identity.user) || verdict.identity.user.starts_with("WELLKNOWN/"))
        return refusal(Outcome::kRejected, Reason::kNotAuthorized);
    vouched_for = std::move(verdict.identity.user);
    return refusal(Outcome::kUnavailable, Reason::kEngineFailed);
}

Verdict Attempt::admit() {
    const bool is_he =
        asks_elsewhere && !vouched_for.empty() && check && check->subject().user == vouched_for;
    Verdict verdict = refusal(Outcome::kUnavailable, Reason::kEngineFailed);
    if (is_he) {
        // That nobody knows him here is no reason against him, and his record may be of any kind.
        const bool is_admitted = check->may_log_in() || check->reason() == Reason::kUnknownUser;
        verdict.outcome = is_admitted ? Outcome::kAccepted : Outcome::kRejected;
        verdict.reason = is_admitted ? Reason::kNone : check->reason();
    }
    verdict.identity = identity();
    return verdict;
}

/// After a proof that was right: whether it was made from the keys of somebody who is disabled.
bool Attempt::proves_disabled_user() const {
    return check && check->reason() == Reason::kWrongPassword && check->subject().is_disabled;
}

/// Libsasl's OK counts only with our own record's, and its reasons never do (facts.md 1).
Verdict Attempt::believed(Verdict verdict) {
    if (verdict.outcome == Outcome::kAccepted) {
        const bool names_agree = check && verdict.identity.user == user() && check->subject().user == user();
        if (!names_agree) return refusal(Outcome::kUnavailable, Reason::kEngineFailed);
        if (mechanism == "EXTERNAL")
            return check->may_log_in() ? verdict : refusal(Outcome::kRejected, check->reason());
        if (check->agreed()) return verdict;
        return proves_disabled_user() ? refusal(Outcome::kRejected, Reason::kDisabled)
                                      : refusal(Outcome::kUnavailable, Reason::kEngineFailed);
    }
    // SCRAM and DIGEST-MD5 say that the proof was right one step before the end. For a disabled user that
    // would be a step more than a wrong password takes.
    const bool is_last_challenge =
        verdict.outcome == Outcome::kChallenge &&
        ((mechanism.starts_with("SCRAM-") && verdict.challenge.starts_with("v=")) ||
         (mechanism == "DIGEST-MD5" && verdict.challenge.starts_with("rspauth=")));
    if (is_last_challenge && proves_disabled_user()) return refusal(Outcome::kRejected, Reason::kDisabled);
    const bool has_answered =
        check && check->reason() != Reason::kEngineFailed && check->reason() != Reason::kNone;
    if (verdict.outcome != Outcome::kRejected || !has_answered || verdict.reason != Reason::kWrongPassword)
        return verdict;
    // A proof that failed: only who knows the password may learn that the account is disabled.
    const bool failed_proof = !check->was_equal() && check->reason() == Reason::kDisabled;
    if (!failed_proof) verdict.reason = check->reason();
    return verdict;
}

}  // namespace gatepost::auth

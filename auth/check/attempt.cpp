#include "auth/check/attempt.h"

#include <utility>

namespace gatepost::auth {
namespace {

/// For steps that need no record: nothing can be proved by them.
class Nobody final : public PasswordCheck {
    bool matches(std::string_view, ByteView) override { return false; }
    Secret scram_keys(std::string_view) override { return {}; }
    Secret plain_password() override { return {}; }
};

}  // namespace

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
    verdict = believed(std::move(verdict));
    verdict.identity = {.user = user(), .mechanism = mechanism, .backend = backend};
    return verdict;
}

/// Libsasl's OK counts only with our own record's, and its reasons never do (facts.md 1).
Verdict Attempt::believed(Verdict verdict) {
    if (verdict.outcome == Outcome::kAccepted) {
        const bool names_agree = check && verdict.identity.user == user() && check->subject().user == user();
        if (!names_agree) return refusal(Outcome::kUnavailable, Reason::kEngineFailed);
        if (mechanism == "EXTERNAL")
            return check->may_log_in() ? verdict : refusal(Outcome::kRejected, check->reason());
        if (check->agreed()) return verdict;
        // Whoever has proved to have the keys of a disabled user is told what everybody is told.
        return check->reason() == Reason::kDisabled ? refusal(Outcome::kRejected, Reason::kDisabled)
                                                    : refusal(Outcome::kUnavailable, Reason::kEngineFailed);
    }
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

// What the rules under `limits:` say of a message, for its explanation.
#include <algorithm>
#include <chrono>
#include <variant>

#include "proxy/commands/explanation.h"
#include "proxy/policy/limit_reply.h"
#include "proxy/policy/limit_report.h"

namespace gatepost::commands {
namespace {

using policy::LimitMoment;

/// As session/limits.cpp: a longer one is deferred.
constexpr std::chrono::seconds kLongestDelay{60};

policy::LimitReplyTo reply_to(LimitMoment moment) {
    switch (moment) {
        case LimitMoment::kConnect: return policy::LimitReplyTo::kGreeting;
        case LimitMoment::kLogin:
        case LimitMoment::kAuth:
        case LimitMoment::kAuthUser: return policy::LimitReplyTo::kAuth;
        case LimitMoment::kMail:
        case LimitMoment::kRecipient: break;
    }
    return policy::LimitReplyTo::kTransaction;
}

std::string retry_text(Duration retry_after) {
    if (retry_after == Duration::max()) return "for good, it is more than the burst";
    if (retry_after == Duration::zero()) return "until one leaves";
    return "for " + policy::duration_text(retry_after);
}

}  // namespace

policy::LimitSubject Explanation::subject(bool is_authenticated) const {
    return {.peer = peer_,
            .listener = listener_.name,
            .user = identity_.user.empty() ? ByteView(what_.user) : ByteView(identity_.user),
            .user_class = is_authenticated ? ByteView(identity_.limit_class) : ByteView(),
            .is_authenticated = is_authenticated,
            .is_trusted = listener_.is_trusted(address_),
            .sender = what_.sender,
            .recipient = what_.recipient,
            .upstream = plan_.config->upstreams[upstream_].name,
            .bytes = std::max<std::uint64_t>(what_.size, 1)};
}

void Explanation::limits(LimitMoment moment, const std::string& at, bool is_authenticated) {
    const policy::Limits& limits = listener_.session.limits;
    policy::LimitSubject about = subject(is_authenticated);
    if (moment == LimitMoment::kConnect) about.user = {};
    const policy::LimitBatch batch = limits.questions(moment, about);
    for (std::uint32_t number = 0; number < limits.size(); ++number) {
        const policy::LimitRule& rule = limits.rule(number);
        if (policy::Limits::moment_of(rule) != moment) continue;
        if (const std::string why = policy::why_not(rule, about); !why.empty())
            row("limit", rule.name + ": does not look: " + why);
    }
    policy::LimitAnswers answers;
    for (std::size_t i = 0; i < batch.rules.size(); ++i) {
        answers.push_back(counts_.ask(batch.questions[i], std::string(about.user_class)));
        limit_row(limits.rule(batch.rules[i]), batch.questions[i], answers.back());
    }
    const policy::LimitVerdict verdict = limits.verdict(batch.rules, answers);
    const auto* const refusal = std::get_if<policy::LimitRefusal>(&verdict);
    if (refusal == nullptr) return;
    if (refusal->action == policy::LimitAction::kDelay && refusal->retry_after <= kLongestDelay)
        return row("limit", at + " waits " + policy::duration_text(refusal->retry_after));
    refuse(at, policy::limit_reply(reply_to(moment), limits.rule(refusal->rule), *refusal));
}

void Explanation::limit_row(const policy::LimitRule& rule, const policy::LimitQuestion& question,
                            const policy::LimitAnswer& answer) {
    const auto owner = policy::owner_of(question.key.text, listener_.session.limits,
                                        listener_.session.guessing, subject(true).user_class);
    const auto* const refused = std::get_if<policy::Refused>(&answer);
    std::string says = std::holds_alternative<policy::Allow>(answer) ? ": allows" : "";
    if (refused != nullptr)
        says = ": " +
               (rule.is_enforced ? std::string(name_of(rule.action)) + "s "
                                 : "would refuse, but is a dry run, ") +
               retry_text(refused->retry_after);
    row("limit", rule.name + ": " + std::string(name_of(rule.counted)) + " " +
                     (owner ? policy::rate_text(*owner) : "") + ", " +
                     state_text(answer, question.rate.burst) + says + ", key " + question.key.text);
}

}  // namespace gatepost::commands

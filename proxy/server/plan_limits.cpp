// Limits and policy of the configuration as a session has them.
#include "proxy/server/plan_limits.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gatepost::server {
namespace {

/// Of failures so many times the burst are remembered beyond it, as policy/guessing does and for the same
/// reason: those that ran side by side were all let in before the first of them failed.
constexpr std::uint64_t kDebtOfBurst = 7;

policy::Counted to_policy(conf::LimitCount count) {
    using policy::Counted;
    switch (count) {
        case conf::LimitCount::Connections: return Counted::kConnections;
        case conf::LimitCount::Sessions: return Counted::kSessions;
        case conf::LimitCount::AuthAttempts: return Counted::kAuthAttempts;
        case conf::LimitCount::AuthFailures: return Counted::kAuthFailures;
        case conf::LimitCount::Messages: return Counted::kMessages;
        case conf::LimitCount::Recipients: return Counted::kRecipients;
        case conf::LimitCount::Bytes: return Counted::kBytes;
    }
    return Counted::kMessages;
}

policy::LimitScope to_policy(conf::LimitPer per) {
    using policy::LimitScope;
    switch (per) {
        case conf::LimitPer::Ip: return LimitScope::kIp;
        case conf::LimitPer::Network: return LimitScope::kNetwork;
        case conf::LimitPer::User: return LimitScope::kUser;
        case conf::LimitPer::Sender: return LimitScope::kSender;
        case conf::LimitPer::SenderDomain: return LimitScope::kSenderDomain;
        case conf::LimitPer::RecipientDomain: return LimitScope::kRecipientDomain;
        case conf::LimitPer::Listener: return LimitScope::kListener;
        case conf::LimitPer::Upstream: return LimitScope::kUpstream;
        case conf::LimitPer::All: return LimitScope::kAll;
    }
    return LimitScope::kAll;
}

policy::LimitAction to_policy(conf::LimitAction action) {
    using policy::LimitAction;
    switch (action) {
        case conf::LimitAction::Defer: return LimitAction::kDefer;
        case conf::LimitAction::Reject: return LimitAction::kReject;
        case conf::LimitAction::Close: return LimitAction::kClose;
        case conf::LimitAction::Delay: return LimitAction::kDelay;
    }
    return LimitAction::kDefer;
}

/// A number alone has no time; a store divides by it, so it gets one that says nothing.
policy::Rate to_rate(const conf::Limit& limit, const conf::Rate& written) {
    constexpr std::chrono::seconds kAnyTime{1};
    policy::Rate rate;
    rate.count = std::min(written.count, policy::Rate::kMost);
    rate.per = written.has_time() ? Duration(written.per) : Duration(kAnyTime);
    rate.burst = std::min(limit.burst.value_or(written.count), policy::Rate::kMost);
    if (limit.count == conf::LimitCount::AuthFailures) {
        rate.burst = std::min(rate.burst, policy::Rate::kMost / kDebtOfBurst);
        rate.debt = rate.burst * kDebtOfBurst;
    }
    return rate;
}

policy::LimitRule to_rule(const conf::Limit& limit) {
    policy::LimitRule rule{.name = limit.name,
                           .counted = to_policy(limit.count),
                           .scope = to_policy(limit.per),
                           .rate = to_rate(limit, limit.rate),
                           .classes = {},
                           .action = to_policy(limit.action),
                           .when = {.listener = limit.when.listener,
                                    .user = limit.when.user,
                                    .user_class = limit.when.user_class,
                                    .authenticated = limit.when.authenticated,
                                    .trusted = limit.when.trusted},
                           .is_enforced = limit.enforce,
                           .ipv4_prefix = limit.ipv4_prefix,
                           .ipv6_prefix = limit.ipv6_prefix};
    for (const auto& [name, rate] : limit.classes) rule.classes.emplace(name, to_rate(limit, rate));
    return rule;
}

}  // namespace

policy::Limits to_limits(const conf::Config& config) {
    std::vector<policy::LimitRule> rules;
    rules.reserve(config.limits.size());
    for (const conf::Limit& limit : config.limits) rules.push_back(to_rule(limit));
    return policy::Limits(std::move(rules));
}

void plan_policy(const conf::Policy& policy, session::Settings& settings) {
    settings.own_senders = policy.senders == conf::SenderPolicy::Own;
    settings.null_sender = policy.null_sender;
    settings.recipients = policy::Recipients(policy.recipients_allow, policy.recipients_deny);
    settings.received_header = policy.received_header;
    settings.user_in_received = policy.user_in_received;
}

}  // namespace gatepost::server

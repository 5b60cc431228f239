// What limits and policies decided, as counts and log lines.
#include <optional>

#include "proxy/server/fact_sink.h"
#include "proxy/server/labels.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

/// None: it is only counted. That the store is away is said once, by whoever asks it.
std::optional<LogEvent> event_of(session::LimitDecision decision) {
    using session::LimitDecision;
    switch (decision) {
        case LimitDecision::kDefer:
        case LimitDecision::kReject:
        case LimitDecision::kClose: return LogEvent::limit_refused;
        case LimitDecision::kWouldRefuse: return LogEvent::limit_would_refuse;
        case LimitDecision::kDelay: return LogEvent::limit_delayed;
        case LimitDecision::kAllow:
        case LimitDecision::kFailOpen:
        case LimitDecision::kUnavailable: break;
    }
    return std::nullopt;
}

/// Too many recipients are told to come again (452); all else is for good.
conf::PolicyDecision decision_of(session::Policy policy) {
    return policy == session::Policy::kRecipients ? conf::PolicyDecision::kDefer
                                                  : conf::PolicyDecision::kReject;
}

}  // namespace

void FactSink::blocked(policy::GuessingRule rule, std::string_view key, bool is_new, TimePoint now,
                       TimePoint until) {
    if (is_new) metrics_.auth_block_begun(to_label(rule));
    registry_.auth_block_noted(to_label(rule), key, now, until);
}

void FactSink::take_limit(const SessionContext& context, std::string_view user,
                          const session::LimitDecided& fact) {
    const observe::LimitIndex limit{fact.rule};
    const conf::LimitDecision decision = to_label(fact.decision);
    metrics_.limit_decided(limit, decision);
    const std::optional<LogEvent> event = event_of(fact.decision);
    if (!event) return;
    const bool never = fact.retry_after == Duration::max();  // nothing is said then
    log_.log(*event,
             {{LogField::session, context.id},
              {LogField::listener, context.listener_name},
              {LogField::client_ip, context.client_ip},
              {LogField::user, user},
              {LogField::limit, registry_.name_of(limit)},
              {LogField::key, fact.key},
              {LogField::action, *event == LogEvent::limit_would_refuse ? "" : conf::to_string(decision)},
              {LogField::retry_after, never ? observe::LogValue("") : observe::LogValue(fact.retry_after)}});
}

void FactSink::take_policy(const SessionContext& context, std::string_view user,
                           const session::PolicyRefused& fact) {
    const conf::PolicyLabel policy = to_label(fact.policy);
    metrics_.policy_decided(policy, decision_of(fact.policy));
    // The null sender is an address too, so `from` is written for senders only.
    log_.log(LogEvent::policy_refused,
             {{LogField::session, context.id},
              {LogField::listener, context.listener_name},
              {LogField::client_ip, context.client_ip},
              {LogField::user, user},
              {LogField::reason, conf::to_string(policy)},
              {fact.policy == session::Policy::kSender || fact.policy == session::Policy::kNullSender
                   ? LogField::from
                   : LogField::to,
               fact.address}});
}

}  // namespace gatepost::server

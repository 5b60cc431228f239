#include "proxy/server/status.h"

#include <unistd.h>
#include <utility>
#include <variant>

namespace gatepost::server {
namespace {

using conf::Metric;
using observe::MetricsRegistry;

constexpr auto kAny = std::optional<std::size_t>();

template <typename Enum>
std::optional<std::size_t> at(Enum value) {
    return static_cast<std::size_t>(value);
}

std::string mode_of(conf::ListenerTls tls) {
    switch (tls) {
        case conf::ListenerTls::None: return "none";
        case conf::ListenerTls::StartTls: return "starttls";
        case conf::ListenerTls::Implicit: return "implicit";
    }
    return "";
}

struct NameType {
    std::string operator()(const conf::FileBackend& /*backend*/) const { return "file"; }
    std::string operator()(const conf::RedisBackend& /*backend*/) const { return "redis"; }
    std::string operator()(const conf::SaslBackend& /*backend*/) const { return "sasl"; }
};

std::vector<Status::Listener> listeners_of(const Plan& plan, const MetricsRegistry& registry) {
    std::vector<Status::Listener> told;
    for (const ListenerPlan& listener : plan.listeners) {
        told.push_back({.name = listener.name,
                        .address = listener.address,
                        .tls = mode_of(listener.tls),
                        .connections = registry.total(Metric::connections_active, {at(listener.index)}),
                        .most = listener.max_connections});
    }
    return told;
}

std::vector<Status::Upstream> upstreams_of(const StatusParts& parts) {
    std::vector<Status::Upstream> told;
    for (std::size_t i = 0; i < parts.watches.size(); ++i) {
        told.push_back({.name = parts.watches[i]->name(),
                        .servers = parts.watches[i]->servers(),
                        .waiting = parts.registry.total(Metric::upstream_pool_waiting,
                                                        {at(parts.plan.upstreams[i].index)})});
    }
    return told;
}

std::vector<Status::Backend> backends_of(const conf::Config& config, const MetricsRegistry& registry) {
    using conf::BackendResult;
    std::vector<Status::Backend> told;
    for (const std::string& name : config.auth.backends) {
        const auto index = at(registry.backend(name));
        const auto asked = [&](BackendResult result) {
            return registry.total(Metric::auth_backend_requests_total, {index, at(result)});
        };
        const auto standing = [&](conf::PoolState state) {
            return registry.total(Metric::auth_backend_connections, {index, at(state)});
        };
        const auto configured = config.backends.find(name);
        told.push_back(
            {.name = name,
             .type = configured == config.backends.end() ? "" : std::visit(NameType{}, configured->second),
             .connections = standing(conf::PoolState::kActive) + standing(conf::PoolState::kIdle),
             .answered = asked(BackendResult::kOk) + asked(BackendResult::kDenied),
             .failed = asked(BackendResult::kError) + asked(BackendResult::kTimeout)});
    }
    return told;
}

std::vector<Status::Limit> limits_of(const conf::Config& config, const MetricsRegistry& registry) {
    using enum conf::LimitDecision;
    std::vector<Status::Limit> told;
    for (std::size_t i = 0; i < config.limits.size(); ++i) {
        Status::Limit limit{.name = config.limits[i].name};
        const auto decided = [&](conf::LimitDecision decision) {
            return registry.total(Metric::rate_limit_decisions_total, {i, at(decision)});
        };
        limit.allowed = decided(kAllow) + decided(kWouldRefuse) + decided(kFailOpen);
        limit.refused = decided(kDefer) + decided(kReject) + decided(kClose) + decided(kUnavailable);
        told.push_back(std::move(limit));
    }
    return told;
}

}  // namespace

Status collect_status(StatusParts parts) {
    const Plan& plan = parts.plan;
    const conf::Config& config = *plan.config;
    const auto messages = [&](conf::MessageResult result) {
        return parts.registry.total(Metric::messages_total, {kAny, kAny, at(result), kAny});
    };
    Status status;
    status.version = GATEPOST_VERSION;
    status.pid = ::getpid();
    status.up = parts.up;
    status.is_draining = parts.is_draining;
    status.listeners = listeners_of(plan, parts.registry);
    status.upstreams = upstreams_of(parts);
    status.backends = backends_of(config, parts.registry);
    status.limits = limits_of(config, parts.registry);
    status.limit_store = plan.started->limit_store.type == conf::LimitStoreType::Redis ? "redis" : "memory";
    status.limit_store_is_up = parts.registry.gauge(Metric::rate_limit_store_up) != 0;
    for (const net::CertificateFacts& one : plan.certificates)
        status.certificates.push_back({.file = one.path, .expires = one.not_after});
    status.messages = {.accepted = messages(conf::MessageResult::kAccepted),
                       .tempfail = messages(conf::MessageResult::kTempfail),
                       .permfail = messages(conf::MessageResult::kPermfail),
                       .aborted = messages(conf::MessageResult::kAborted)};
    status.unready_because = std::move(parts.unready_because);
    status.configuration = std::move(parts.configuration);
    return status;
}

}  // namespace gatepost::server

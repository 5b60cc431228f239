#include "proxy/server/worker_generation.h"

#include <optional>
#include <utility>

namespace gatepost::server {

WorkerGeneration::WorkerGeneration(const Home& home, const GenerationParts& parts,
                                   observe::WorkerMetrics& metrics)
    : parts_(parts),
      metrics_(metrics),
      facts_(parts.log, parts.registry, metrics),
      verifier_metrics_(parts.registry, metrics),
      verifier_(parts.authenticators.make_verifier(home.loop, home.receiver, parts.registry, metrics,
                                                   &verifier_metrics_)),
      limits_(home.limits),
      offers_(parts.plan->listeners.size()),
      servable_(parts.authenticators.servable()) {}

Result<std::unique_ptr<WorkerGeneration>> WorkerGeneration::make(const Home& home,
                                                                 const GenerationParts& parts) {
    std::unique_ptr<WorkerGeneration> made(new WorkerGeneration(home, parts, parts.registry.add_worker()));
    made->make_pools(home);
    if (const auto contexts = made->make_tls_contexts(); !contexts) return std::unexpected(contexts.error());
    return made;
}

void WorkerGeneration::make_pools(const Home& home) {
    const Plan& plan = *parts_.plan;
    for (std::size_t i = 0; i < plan.upstreams.size(); ++i) {
        Upstream& upstream = upstreams_.emplace_back();
        upstream.metrics = std::make_unique<PoolMetrics>(metrics_, plan.upstreams[i].index,
                                                         plan.upstreams[i].first_endpoint, parts_.served);
        upstream.pool = std::make_unique<upstream::Pool>(home.loop, make_pool_settings(plan, i, home.worker),
                                                         *plan.upstreams[i].group, *upstream.metrics);
    }
}

Result<void> WorkerGeneration::make_tls_contexts() {
    for (const ListenerPlan& listener : parts_.plan->listeners) {
        if (listener.tls == conf::ListenerTls::None) {
            tls_contexts_.push_back(nullptr);
            continue;
        }
        Result<std::unique_ptr<net::TlsContext>> context = net::TlsContext::make(listener.tls_settings);
        if (!context) return std::unexpected(context.error());
        tls_contexts_.push_back(std::move(*context));
    }
    return {};
}

void WorkerGeneration::set_snapshot(std::size_t upstream,
                                    std::shared_ptr<const upstream::Snapshot> snapshot) {
    upstreams_[upstream].snapshot = snapshot;
    upstreams_[upstream].pool->set_snapshot(std::move(snapshot));
    for (std::size_t i = 0; i < offers_.size(); ++i) {
        std::optional<smtp::Capabilities> all;
        for (const std::size_t reached : parts_.plan->listeners[i].reaches) {
            const smtp::Capabilities one = upstreams_[reached].snapshot->offer();
            all = all ? all->intersect(one) : one;
        }
        offers_[i] = all.value_or(smtp::Capabilities());
    }
}

void WorkerGeneration::drain() {
    for (const Upstream& upstream : upstreams_) upstream.pool->drain();
}

void WorkerGeneration::forget_upstreams_of(ConnectionId id) {
    for (const Upstream& upstream : upstreams_) upstream.pool->forget(id.value);
}

const smtp::Capabilities& WorkerGeneration::offer(const ListenerPlan& listener) const {
    return offers_[static_cast<std::size_t>(listener.index)];
}

const net::TlsContext& WorkerGeneration::tls_context(const ListenerPlan& listener) const {
    return *tls_contexts_[static_cast<std::size_t>(listener.index)];
}

void WorkerGeneration::describe_upstream(std::size_t upstream, SessionContext& context) const {
    const UpstreamPlan& plan = parts_.plan->upstreams[upstream];
    context.upstream = plan.index;
    context.upstream_name = plan.name;
    context.endpoint_name.clear();
}

void WorkerGeneration::describe_endpoint(std::size_t endpoint, const std::string& name,
                                         SessionContext& context) const {
    const UpstreamPlan& plan = parts_.plan->upstreams[static_cast<std::size_t>(context.upstream)];
    context.endpoint = observe::EndpointIndex{static_cast<std::uint32_t>(plan.first_endpoint + endpoint)};
    context.endpoint_name = name;
}

}  // namespace gatepost::server

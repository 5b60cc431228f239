// What one worker has for one configuration: TLS contexts, upstream pools, a verifier, where facts are told,
// and what clients are offered. Its connections keep it as long as they live. On the worker's thread, where
// it is made and destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/check/verifier.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/tls_context.h"
#include "proxy/policy/limit_store.h"
#include "proxy/server/authenticators.h"
#include "proxy/server/fact_sink.h"
#include "proxy/server/plan.h"
#include "proxy/server/pool_metrics.h"
#include "proxy/server/verifier_metrics.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::server {

/// What all workers have in common of one configuration; the main thread's, and outlives theirs.
struct GenerationParts {
    std::uint64_t number = 0;  ///< from 1, in the order of the reloads
    std::shared_ptr<const Plan> plan;
    observe::LogSink& log;
    observe::MetricsRegistry& registry;
    Authenticators& authenticators;
    Served served;
};

class WorkerGeneration {
  public:
    /// What its worker gives it; outlives it.
    struct Home {
        unsigned worker = 0;
        net::EventLoop& loop;
        auth::VerdictReceiver& receiver;
        std::shared_ptr<policy::LimitStore> limits;
    };
    /// While the main thread waits. The error names the certificate or file that could not be loaded.
    [[nodiscard]] static Result<std::unique_ptr<WorkerGeneration>> make(const Home& home,
                                                                        const GenerationParts& parts);
    WorkerGeneration(const WorkerGeneration&) = delete;
    WorkerGeneration& operator=(const WorkerGeneration&) = delete;

    [[nodiscard]] std::uint64_t number() const noexcept { return parts_.number; }
    [[nodiscard]] const Plan& plan() const noexcept { return *parts_.plan; }
    [[nodiscard]] auth::Verifier& verifier() noexcept { return *verifier_; }
    [[nodiscard]] policy::LimitStore& limits() noexcept { return *limits_; }
    [[nodiscard]] FactSink& facts() noexcept { return facts_; }
    [[nodiscard]] observe::WorkerMetrics& metrics() noexcept { return metrics_; }
    [[nodiscard]] const net::TlsContext& tls_context(const ListenerPlan& listener) const;
    /// What a message of the listener's clients can use, whichever upstream it goes to (decisions 5).
    [[nodiscard]] const smtp::Capabilities& offer(const ListenerPlan& listener) const;
    /// Mechanisms that every backend can serve.
    [[nodiscard]] const Servable& servable() const noexcept { return servable_; }
    [[nodiscard]] upstream::Pool& pool(std::size_t upstream) { return *upstreams_[upstream].pool; }
    /// The session is over.
    void forget_upstreams_of(ConnectionId id);
    void describe_upstream(std::size_t upstream, SessionContext& context) const;
    void describe_endpoint(std::size_t endpoint, const std::string& name, SessionContext& context) const;

    void set_snapshot(std::size_t upstream, std::shared_ptr<const upstream::Snapshot> snapshot);
    void set_servable(Servable servable) { servable_ = std::move(servable); }
    /// The process ends, or another one is served: no upstream connection is kept.
    void drain();

    // Of its connections: it must not be destroyed before the last one.
    void enter() noexcept { ++connections_; }
    void leave() noexcept { --connections_; }
    [[nodiscard]] std::size_t connections() const noexcept { return connections_; }
    /// True the first time only.
    [[nodiscard]] bool tell_idle() noexcept { return !std::exchange(is_idle_, true); }

  private:
    WorkerGeneration(const Home& home, const GenerationParts& parts, observe::WorkerMetrics& metrics);
    void make_pools(const Home& home);
    [[nodiscard]] Result<void> make_tls_contexts();

    struct Upstream {
        std::unique_ptr<PoolMetrics> metrics;
        std::unique_ptr<upstream::Pool> pool;
        std::shared_ptr<const upstream::Snapshot> snapshot = std::make_shared<upstream::Snapshot>();
    };

    const GenerationParts parts_;
    observe::WorkerMetrics& metrics_;
    FactSink facts_;
    std::vector<std::unique_ptr<net::TlsContext>> tls_contexts_;  ///< by listener; null without TLS
    VerifierMetrics verifier_metrics_;
    std::unique_ptr<auth::Verifier> verifier_;
    const std::shared_ptr<policy::LimitStore> limits_;
    std::vector<Upstream> upstreams_;
    std::vector<smtp::Capabilities> offers_;  ///< by listener
    Servable servable_;
    std::size_t connections_ = 0;
    bool is_idle_ = false;
};

}  // namespace gatepost::server

// One reactor thread and the connections that live on it. Shares nothing with other workers; the only place
// where a connection is destroyed. Methods on its own thread unless they say otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "auth/check/verifier.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/listener.h"
#include "proxy/net/tls_context.h"
#include "proxy/policy/limit_store.h"
#include "proxy/server/authenticators.h"
#include "proxy/server/connection.h"
#include "proxy/server/fact_sink.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/plan.h"
#include "proxy/server/pool_metrics.h"
#include "proxy/server/verifier_metrics.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/pool_group.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::server {

/// What all workers share; outlives them.
struct WorkerParts {
    std::shared_ptr<const Plan> plan;
    observe::LogSink& log;
    observe::MetricsRegistry& registry;
    Authenticators& authenticators;
    LimitStores& limit_stores;
    std::vector<std::unique_ptr<upstream::PoolGroup>>& pool_groups;  ///< by upstream
    Served served;
};

class Worker final : private auth::VerdictReceiver {
  public:
    /// Main thread. `number` counts from 0. The error names the certificate that could not be loaded.
    [[nodiscard]] static Result<std::unique_ptr<Worker>> make(unsigned number, const WorkerParts& parts);
    ~Worker() override;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Main thread.
    /// Makes this worker accept by itself; before start().
    void accept_from(std::size_t listener, net::UniqueFd listening);
    void start();
    /// Ends the loop and joins; connections that are left are destroyed.
    void stop();

    // Any thread.
    void adopt(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer);
    void set_snapshot(std::size_t upstream, std::shared_ptr<const upstream::Snapshot> snapshot);
    void set_servable(Servable servable);
    void stop_accepting();
    void drain();
    void drain_expired();
    void abort_all();
    /// Sessions, and handshakes at four times their number: what a new connection would wait behind.
    [[nodiscard]] std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t connections() const noexcept { return count_.load(std::memory_order_relaxed); }

    // For its connections.
    [[nodiscard]] net::EventLoop& loop() noexcept { return loop_; }
    [[nodiscard]] auth::Verifier& verifier() noexcept { return *verifier_; }
    [[nodiscard]] policy::LimitStore& limits() noexcept { return *limits_; }
    void on_limits(ConnectionId id, std::uint64_t question, policy::LimitAnswers answers);
    /// Nobody waits for the answer to `question` any more: what it counts is given back.
    void forget_limits(ConnectionId id, std::uint64_t question, std::vector<policy::LimitQuestion> asked) {
        forgotten_limits_[{id.value, question}] = std::move(asked);
    }
    [[nodiscard]] FactSink& facts() noexcept { return facts_; }
    [[nodiscard]] net::HandshakeSlots& handshakes() noexcept { return handshakes_; }
    [[nodiscard]] const net::TlsContext& tls_context(const ListenerPlan& listener) const;
    /// What a message of the listener's clients can use, whichever upstream it goes to (decisions 5).
    [[nodiscard]] const smtp::Capabilities& offer(const ListenerPlan& listener) const;
    [[nodiscard]] const Servable& servable() const noexcept { return servable_; }
    [[nodiscard]] upstream::Pool& pool(std::size_t upstream) { return *upstreams_[upstream].pool; }
    /// The session is over.
    void forget_upstreams_of(ConnectionId id) {
        for (const Upstream& upstream : upstreams_) upstream.pool->forget(id.value);
    }
    void describe_upstream(std::size_t upstream, SessionContext& context) const;
    void describe_endpoint(std::size_t endpoint, const std::string& name, SessionContext& context) const;
    [[nodiscard]] std::string session_id(ConnectionId id) const;
    /// Runs after the current callback, if the connection still lives.
    void later(ConnectionId id, std::move_only_function<void(Connection&)> task);
    /// Destroys the connection at the end of this turn.
    void reap(ConnectionId id);

  private:
    [[nodiscard]] Result<void> make_pools();
    Worker(unsigned number, const WorkerParts& parts, observe::WorkerMetrics& metrics);

    void on_verdict(ConnectionId id, auth::Verdict verdict) override;
    void take_over(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer);
    void note_load() noexcept;

    const unsigned number_;
    const WorkerParts parts_;
    net::EventLoop loop_;
    observe::WorkerMetrics& metrics_;
    FactSink facts_;
    net::HandshakeSlots handshakes_;
    std::vector<std::unique_ptr<net::TlsContext>> tls_contexts_;  ///< by listener; null without TLS
    VerifierMetrics verifier_metrics_;
    std::unique_ptr<auth::Verifier> verifier_;
    std::shared_ptr<policy::LimitStore> limits_;
    std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
    struct Upstream {
        std::unique_ptr<PoolMetrics> metrics;
        std::unique_ptr<upstream::Pool> pool;
        std::shared_ptr<const upstream::Snapshot> snapshot = std::make_shared<upstream::Snapshot>();
    };
    std::vector<Upstream> upstreams_;
    std::vector<smtp::Capabilities> offers_;  ///< by listener
    Servable servable_;                       ///< mechanisms that every backend can serve
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    /// By connection and question: asked, not answered, and awaited no more.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<policy::LimitQuestion>> forgotten_limits_;
    std::uint64_t next_id_;
    std::uint64_t id_prefix_;
    std::atomic<std::size_t> count_ = 0;
    std::atomic<std::size_t> load_ = 0;
    bool draining_ = false;
    std::thread thread_;
};

}  // namespace gatepost::server

// One reactor thread, the connections that live on it, and what it has for each configuration that some of
// them were born with. Shares nothing with other workers; the only place where a connection is destroyed.
// Methods on its own thread unless they say otherwise.
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
#include "proxy/net/tls_context.h"
#include "proxy/policy/limit_store.h"
#include "proxy/server/acceptors.h"
#include "proxy/server/connection.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/loop_meter.h"
#include "proxy/server/operations.h"
#include "proxy/server/worker_generation.h"

namespace gatepost::server {

/// What all workers share, whatever the configuration; outlives them.
struct WorkerParts {
    observe::LogSink& log;
    observe::MetricsRegistry& registry;  ///< where counts what outlives generations
    LimitStores& limit_stores;
    // Called on the worker's thread.
    /// Its last connection of a generation that is no longer served has ended.
    std::function<void(std::uint64_t generation)> generation_idle;
    /// It has nothing of the generation any more.
    std::function<void(std::uint64_t generation)> generation_gone;
};

class Worker final : private auth::VerdictReceiver {
  public:
    /// Main thread. `number` counts from 0.
    Worker(unsigned number, const WorkerParts& parts);
    ~Worker() override;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Main thread.
    /// Makes what the worker needs for a generation, on its thread, and waits for it. The error names the
    /// file that could not be loaded; then nothing is left of it.
    [[nodiscard]] Result<void> prepare(const GenerationParts& parts);
    void start();
    /// Ends the loop and joins; connections that are left are destroyed.
    void stop();

    // Any thread.
    /// New connections are of this generation, and come by these doors if the worker accepts by itself.
    void serve(std::uint64_t generation, std::vector<Acceptors::Door> doors);
    /// Of a generation that is not served, and is idle on every worker: what they have of it knows of each
    /// other.
    void drop(std::uint64_t generation);
    /// `listener`: its place in the plan served last.
    void adopt(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer);
    void set_snapshot(std::uint64_t generation, std::size_t upstream,
                      std::shared_ptr<const upstream::Snapshot> snapshot);
    void set_servable(std::uint64_t generation, Servable servable);
    void stop_accepting();
    void drain();
    void drain_expired();
    void abort_all();
    /// `told` on the worker's thread: those that fit, in no order; and how many were ended.
    void list_sessions(SessionFilter filter, std::function<void(std::vector<SessionRow>)> told);
    void kick(SessionFilter filter, std::function<void(std::size_t)> told);
    /// Sessions, and handshakes at four times their number: what a new connection would wait behind.
    [[nodiscard]] std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t connections() const noexcept { return count_.load(std::memory_order_acquire); }
    /// Sessions that the end of the drain has cut.
    [[nodiscard]] std::size_t sessions_cut() const noexcept { return cut_.load(std::memory_order_relaxed); }
    /// No session, none handed over that it has not taken yet, nothing that it was told and has not done, no
    /// last word still to be sent.
    [[nodiscard]] bool is_quiet() const noexcept;

    // For its connections.
    [[nodiscard]] net::EventLoop& loop() noexcept { return loop_; }
    [[nodiscard]] policy::LimitStore& limits() noexcept { return *limits_; }
    void on_limits(ConnectionId id, std::uint64_t question, policy::LimitAnswers answers);
    /// Nobody waits for the answer to `question` any more: what it counts is given back.
    void forget_limits(ConnectionId id, std::uint64_t question, std::vector<policy::LimitQuestion> asked) {
        forgotten_limits_[{id.value, question}] = std::move(asked);
    }
    /// Too many guesses, counted for whichever configuration is served.
    void blocked(policy::GuessingRule rule, std::string_view key, bool is_new, Duration how_long) {
        current_->facts().blocked(rule, key, is_new, loop_.now(), loop_.now() + how_long);
    }
    [[nodiscard]] net::HandshakeSlots& handshakes() noexcept { return handshakes_; }
    [[nodiscard]] std::string session_id(ConnectionId id) const;
    /// Runs after the current callback, if the connection still lives.
    void later(ConnectionId id, std::move_only_function<void(Connection&)> task);
    /// Destroys the connection at the end of this turn.
    void reap(ConnectionId id);

  private:
    using Generations = std::map<std::uint64_t, std::unique_ptr<WorkerGeneration>>;

    void on_verdict(ConnectionId id, auth::Verdict verdict) override;
    [[nodiscard]] Result<void> run_there(std::function<Result<void>()> task);
    [[nodiscard]] Result<void> make_generation(const GenerationParts& parts);
    void in_generation(std::uint64_t number, std::move_only_function<void(WorkerGeneration&)> task);
    void note_idle();
    void take_over(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer);
    void post_awaited(std::move_only_function<void()> task);
    void note_cut(bool is_cut) noexcept {
        if (is_cut) cut_.fetch_add(1, std::memory_order_relaxed);
    }
    void destroy(ConnectionId id);
    void note_load() noexcept;

    const unsigned number_;
    const WorkerParts parts_;
    net::EventLoop loop_;
    LoopMeter meter_;
    observe::WorkerMetrics& metrics_;  ///< of what outlives generations
    net::HandshakeSlots handshakes_;
    std::shared_ptr<policy::LimitStore> limits_;
    Generations generations_;
    WorkerGeneration* current_ = nullptr;  ///< of new connections
    std::unique_ptr<Acceptors> acceptors_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    /// By connection and question: asked, not answered, and awaited no more.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<policy::LimitQuestion>> forgotten_limits_;
    std::uint64_t next_id_;
    std::uint64_t id_prefix_;
    std::atomic<std::size_t> count_ = 0;
    std::atomic<std::size_t> load_ = 0;
    std::atomic<std::size_t> cut_ = 0;
    std::atomic<std::size_t> awaited_ = 0;  ///< tasks posted by the main thread, not yet done
    bool draining_ = false;
    std::thread thread_;
};

}  // namespace gatepost::server

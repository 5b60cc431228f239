// One worker's connections to one upstream: those that wait for a session, and the sessions that wait for
// one. Only clean connections come back; each is retired by age, use, idleness or any surprise. Never holds
// one for a client before MAIL. On the thread of its loop.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "proxy/net/event_loop.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/opener.h"
#include "proxy/upstream/pool_group.h"
#include "proxy/upstream/pool_settings.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

class PoolRequest;

class Pool final : private net::TransportHandler {
  public:
    using Answer = std::move_only_function<void(std::expected<Lease, OpeningFailure>)>;
    /// Somebody's wait for a connection; destroying it ends the wait. Must not outlive the pool.
    using Ticket = std::shared_ptr<PoolRequest>;

    /// All must outlive the pool.
    Pool(net::EventLoop& loop, PoolSettings settings, PoolGroup& group, PoolObserver& observer);
    ~Pool() override;
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// `answer` runs once, from the loop, never inside this call. `is_new`: no transaction may have been on
    /// the connection before.
    [[nodiscard]] Ticket ask(Client client, bool is_new, Answer answer);

    /// A transaction on it has ended cleanly: nothing is open, nothing is awaited.
    void give_back(Lease lease);
    /// It has failed, or is not to be trusted any more, or is one client's alone: closed at once, behind what
    /// was written if `politely`.
    void end(Lease lease, bool politely);
    /// A transaction was broken off by the upstream.
    void note_failure(const Lease& lease) { observer_.served(lease.endpoint, lease.address, false); }

    /// A session is over: what is its alone goes with it.
    void forget(std::uint64_t session);

    void set_snapshot(std::shared_ptr<const Snapshot> snapshot);
    /// The process ends, or another configuration is served: nothing is kept, and no spare is opened, from
    /// now on.
    void drain();

    [[nodiscard]] const PoolSettings& settings() const noexcept { return settings_; }

  private:
    friend class PoolRequest;

    /// How often it looks after what it has.
    static constexpr std::chrono::seconds kSweep{1};

    struct Idle {
        Lease lease;
        TotalSlot slot;
        TimePoint since;
    };
    using IdleList = std::list<Idle>;
    struct Spare {
        Lease lease;
        std::unique_ptr<Opener> opener;
        TimePoint began;
    };

    // net::TransportHandler, of idle connections
    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override;
    void on_tls_established(net::Transport& transport) override;
    void on_drained(net::Transport& transport) override;
    void on_closed(net::Transport& transport, net::CloseCause cause) override;

    [[nodiscard]] std::vector<std::size_t> choose() { return balancer_.order(*snapshot_); }
    /// One that may serve this client next; to any server if `server` is nullptr.
    [[nodiscard]] std::optional<Lease> take_idle(const Server* server, bool is_new, const Client& client);
    [[nodiscard]] bool may_serve(const Lease& lease, const Client& client) const;
    /// A place among the server's connections; if need be, that of an idle one.
    [[nodiscard]] TotalSlot take_place(const Server& server);
    [[nodiscard]] bool is_reusable(const Lease& lease) const;
    [[nodiscard]] bool has_come_of_age(const Lease& lease) const;
    void keep(Lease lease);
    /// Says QUIT and closes.
    void retire(Lease lease);
    /// Returns the one behind it.
    IdleList::iterator retire(IdleList::iterator idle);
    /// Closes at once.
    void discard(Lease lease);
    void drop_idle(const net::Transport& transport);
    void let_one_go();
    void note_opening(const Lease& lease, const Opener::Outcome& outcome, Duration took);
    void wait(const Ticket& request);
    void serve_waiting();
    void serve_all_waiting();
    [[nodiscard]] Ticket first_waiting();
    [[nodiscard]] bool has_idled_enough(const Idle& idle) const;
    void sweep();
    void open_spares();
    void open_spare(const Server& server, TotalSlot place);
    void spare_opened(std::list<Spare>::iterator spare, Opener::Outcome outcome);

    net::EventLoop& loop_;
    const PoolSettings settings_;
    PoolGroup& group_;
    PoolObserver& observer_;
    std::size_t member_;
    Balancer balancer_;
    std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
    IdleList idle_;  ///< the one used last is at the end
    std::list<Spare> spares_;
    std::deque<std::weak_ptr<PoolRequest>> waiting_;  ///< the longest wait comes first
    net::Timer sweep_;
    net::Timer again_;  ///< for all who wait: the servers have changed
    bool is_draining_ = false;
};

}  // namespace gatepost::upstream

// One session's wait for a connection: an idle one, or a new one to the first server that can be had, or its
// place in the line. On the thread of its pool's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/net/timer.h"
#include "proxy/upstream/pool.h"

namespace gatepost::upstream {

class PoolRequest final : public std::enable_shared_from_this<PoolRequest> {
  public:
    PoolRequest(Pool& pool, Client client, bool is_new, Pool::Answer answer);
    ~PoolRequest();
    PoolRequest(const PoolRequest&) = delete;
    PoolRequest& operator=(const PoolRequest&) = delete;

    void begin();
    /// While it waits in the line: something has become free.
    void try_again();
    /// While it waits in the line: here is one.
    void take(Lease lease);

    [[nodiscard]] Pool& pool() const noexcept { return pool_; }
    [[nodiscard]] bool is_waiting() const noexcept { return is_waiting_; }
    [[nodiscard]] TimePoint waiting_since() const noexcept { return waiting_since_; }
    [[nodiscard]] bool must_tell_address() const noexcept;
    [[nodiscard]] bool needs_new() const noexcept { return is_new_; }
    [[nodiscard]] const Client& client() const noexcept { return client_; }
    /// Takes a place in the line of all workers.
    void stand_in_line(PoolGroup& group, std::size_t member);

  private:
    void try_servers();
    void try_next();
    [[nodiscard]] bool try_server(const Server& server);
    void dial(const Server& server, TotalSlot place);
    void opened(Opener::Outcome outcome);
    void introduce(Lease lease);
    void introduced(Opener::Outcome outcome);
    void give_up_on_server();
    void wait_in_line();
    void end_wait();
    void on_patience();
    void answer(Lease lease);
    void fail(OpeningFailure failure);
    void drop_opening();

    Pool& pool_;
    const Client client_;
    bool is_new_;
    Pool::Answer answer_;
    std::shared_ptr<const Snapshot> snapshot_;  ///< that `order_` is about
    std::vector<std::size_t> order_;
    std::size_t next_ = 0;
    bool is_crowded_ = false;                   ///< a server that is well has no place
    OpeningFailure failure_;                    ///< of the server tried last
    std::vector<net::SocketAddress> given_up_;  ///< servers that are not tried again for this session
    Lease lease_;                               ///< being opened
    std::unique_ptr<Opener> opener_;
    TimePoint until_;
    TimePoint began_;  ///< to open
    TimePoint waiting_since_;
    net::Timer patience_;                 ///< with a server that says nothing; with the line, while waiting
    std::optional<std::uint64_t> place_;  ///< in the line of all workers
    bool is_extended_ = false;            ///< the patience with the server that is being tried
    bool is_waiting_ = false;
    bool has_waited_ = false;
};

}  // namespace gatepost::upstream

// The sign of life that this replica gives in a Redis, and how many replicas have given one lately. Begins
// with the first use of the store. On the thread of its loop.
#pragma once

#include <functional>
#include <string>

#include "backends/redis/redis_connection.h"
#include "proxy/net/timer.h"

namespace gatepost::backends {

class Replicas {
  public:
    static constexpr std::chrono::seconds kBeat{5};
    /// While Redis does not answer: also what makes the connection try again before its rest is over.
    static constexpr std::chrono::seconds kBeatInVain{1};

    using Told = std::move_only_function<void(const RedisOutcome&)>;

    /// `told` hears what became of each sign. All references outlive it.
    Replicas(net::EventLoop& loop, RedisConnection& connection, std::string id, Told told);

    /// From now on, whatever the store is used for.
    void begin();
    /// At once, as after a connection was made again; only once begun.
    void beat();
    [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }

    /// At least 1, this one; as it was told last.
    [[nodiscard]] unsigned seen() const noexcept { return seen_; }

    /// Microseconds instead of Redis's own time, for tests; "" = its own.
    void set_clock(std::string clock) { clock_ = std::move(clock); }

  private:
    void on_answer(const RedisOutcome& outcome);

    RedisConnection& connection_;
    const std::string id_;
    std::string clock_;
    Told told_;
    net::Timer next_;
    unsigned seen_ = 1;
    bool has_begun_ = false;
    std::shared_ptr<Replicas*> self_;  ///< answers on their way hold it weakly
};

}  // namespace gatepost::backends

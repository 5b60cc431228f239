// The inside of a RedisLimitStore: which question goes to Redis, which to the stand-in, and what is known of
// Redis. Kept alive by the store alone; on the thread of its loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/redis/held_sessions.h"
#include "backends/redis/redis_limit_store.h"
#include "backends/redis/replicas.h"

namespace gatepost::backends {

class LimitCore final : public std::enable_shared_from_this<LimitCore>, private RedisObserver {
  public:
    using Batch = std::vector<policy::LimitQuestion>;
    using Answer = std::move_only_function<void(policy::LimitAnswers)>;
    using Entries = policy::LimitInventory::Entries;

    LimitCore(net::EventLoop& loop, net::Resolver& resolver, RedisLimitSettings settings,
              policy::LimitStore& stand_in, RedisLimitObserver& observer);

    void ask(Batch batch, TimePoint now, Executor& home, Answer answer);
    void list(std::string prefix, std::size_t most, std::move_only_function<void(Entries)> answer);
    void forget(const std::string& key, std::move_only_function<void(Result<bool>)> answer);

    [[nodiscard]] bool is_away() const noexcept { return is_away_; }
    [[nodiscard]] bool is_connected() const noexcept { return connection_.is_connected(); }
    [[nodiscard]] unsigned replicas() const noexcept { return replicas_.seen(); }
    void set_clock(std::string clock);
    void set_password(std::shared_ptr<const Secret> password) {
        connection_.set_password(std::move(password));
    }

  private:
    struct Asked {
        Batch batch;
        TimePoint now;
        Executor* home = nullptr;
        Answer answer;
        TimePoint began;
        bool is_whole = false;  ///< the script goes with it, not only its name
    };

    void ask_apart(Batch batch, TimePoint now, Executor& home, Answer answer);
    void ask_store(Asked asked);
    void send(Asked asked);
    void on_outcome(Asked asked, const RedisOutcome& outcome);
    void turn_away(Asked asked);
    void ask_stand_in(Asked asked);
    /// From inside a callback of the connection, which is as good as posted.
    void tell(Asked& asked, policy::LimitAnswers answers);

    void on_redis_connected(std::string_view server) override;
    void on_redis_lost(std::string_view server, std::string_view reason) override;
    void on_redis_breaker(bool is_open) override;
    void greet();
    void on_beat(const RedisOutcome& outcome);
    void restate();
    void note_away(const RedisOutcome& outcome);
    void note_back();
    [[nodiscard]] std::string reason_of(const RedisOutcome& outcome) const;

    net::EventLoop& loop_;
    policy::LimitStore& stand_in_;
    RedisLimitObserver& observer_;
    const RedisLimitSettings::WhenAway when_away_;
    const std::string field_;  ///< "REPLICA/STORE"
    std::string clock_;
    std::string script_name_;  ///< as Redis calls it; "" = not known yet
    std::string lost_because_;
    HeldSessions held_;
    bool is_away_ = false;
    bool is_at_fault_ = false;  ///< away because of what it answers, not because it does not
    RedisConnection connection_;
    Replicas replicas_;
};

}  // namespace gatepost::backends

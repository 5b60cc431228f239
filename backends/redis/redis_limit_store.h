// The counts of all replicas in one Redis: a batch of questions is one script, so one round trip. What Redis
// does not answer in time is answered as the operator wishes for that case. One store a worker; asked on the
// thread of its loop, looked into (LimitInventory) from any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/redis/redis_connection.h"
#include "backends/redis/redis_limit_observer.h"
#include "proxy/policy/limit_store.h"

namespace gatepost::backends {

struct RedisLimitSettings {
    /// What follows when Redis does not count.
    enum class WhenAway {
        kStandIn,  ///< this process counts alone, with its share of each rate
        kAllow,
        kDefer,
    };

    RedisSettings redis;
    WhenAway when_away = WhenAway::kStandIn;
    std::string replica = "replica";  ///< of this process alone; no "/"
    unsigned number = 0;              ///< of the store within the process
    std::string clock{};              ///< microseconds instead of Redis's own clock, for tests
};

class LimitCore;

class RedisLimitStore final : public policy::LimitStore, public policy::LimitInventory {
  public:
    /// All references outlive it. Connects once the loop runs.
    RedisLimitStore(net::EventLoop& loop, net::Resolver& resolver, RedisLimitSettings settings,
                    policy::LimitStore& stand_in, RedisLimitObserver& observer);
    /// On the loop's thread, or when the loop does not run any more. What is not answered yet may be
    /// answered Unavailable, as long as the loop runs.
    ~RedisLimitStore() override;
    RedisLimitStore(const RedisLimitStore&) = delete;
    RedisLimitStore& operator=(const RedisLimitStore&) = delete;

    /// Answers within `redis.timeout` (twice that when Redis has forgotten the script), or when the stand-in
    /// does after that.
    void ask(std::vector<policy::LimitQuestion> batch, TimePoint now, Executor& home,
             std::move_only_function<void(policy::LimitAnswers)> answer) override;

    /// Looks through all keys of the Redis, some at a time. What ceases to be counted meanwhile may be
    /// missed.
    void list(std::string prefix, std::size_t most, TimePoint now, Executor& home,
              std::move_only_function<void(Entries)> answer) override;
    void forget(policy::LimitKey key, Executor& home,
                std::move_only_function<void(Result<bool>)> answer) override;

    // On the loop's thread.
    [[nodiscard]] bool is_away() const noexcept;
    [[nodiscard]] bool is_connected() const noexcept;
    [[nodiscard]] unsigned replicas() const noexcept;
    /// Redis's time for tests, in microseconds; "" = its own.
    void set_clock(std::string clock);
    void set_password(std::shared_ptr<const Secret> password);

  private:
    net::EventLoop& loop_;
    std::shared_ptr<LimitCore> core_;  ///< what is on its way holds it weakly
};

}  // namespace gatepost::backends

// Where limits are counted, as `limit_store` says: in the one store of this process, or in a Redis, to which
// each worker has a connection of its own. Main thread; connects to nothing by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/redis/redis_limit_store.h"
#include "conf/config.h"
#include "proxy/net/resolver.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/policy/memory_limit_store.h"
#include "proxy/server/limit_store_log.h"
#include "proxy/server/redis_backend.h"

namespace gatepost::server {

/// What is wrong at one of the keys of limit_store ("url", "tls_ca"). Reads the CA; blocks.
[[nodiscard]] std::vector<RedisProblem> limit_store_problems(const conf::LimitStore& store);

class LimitStores {
  public:
    /// What all stores lean on; outlives them.
    struct Parts {
        policy::MemoryLimitStore& memory;
        net::Resolver& resolver;
        observe::LogSink& log;
        observe::MetricsRegistry& registry;  ///< until use()
    };

    /// Requires that limit_store_problems() has none. One TLS context for each of `workers`, and one for the
    /// main loop, is made now, from files as they are now.
    [[nodiscard]] static Result<std::unique_ptr<LimitStores>> make(const conf::LimitStore& store,
                                                                   unsigned workers, const Parts& parts);

    struct Opened {
        std::shared_ptr<policy::LimitStore> store;
        std::shared_ptr<policy::LimitInventory> inventory;  ///< of the same; nullptr = it has none
    };
    /// For one loop, which with `metrics` outlives it, as does this object; a call for each worker and one
    /// for the main loop at most. Main thread, before `loop` runs or on it.
    [[nodiscard]] Opened open(net::EventLoop& loop, observe::WorkerMetrics& metrics);

    /// After a reload: where its gauges are from now on.
    void use(observe::MetricsRegistry& registry) { changes_.use(registry); }

    /// After a reload: what is in password_file now, for the next connection of each store. The rest of
    /// limit_store stays as it was at the start.
    void use_password(const conf::LimitStore& store);

  private:
    LimitStores(const conf::LimitStore& store, const Parts& parts);

    const Parts parts_;
    const bool is_redis_;
    LimitStoreLog changes_;
    backends::RedisLimitSettings settings_;  ///< of each store, but for `redis.tls` and `number`
    const std::string password_file_;
    std::vector<std::shared_ptr<const net::TlsClientContext>> tls_;  ///< for stores that are not made yet
    struct Made {
        net::EventLoop* loop;
        std::weak_ptr<backends::RedisLimitStore> store;
    };
    std::vector<Made> stores_;
};

}  // namespace gatepost::server

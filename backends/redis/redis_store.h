// The credential store over Redis: one hash for each user, asked for at each look-up, so that a change takes
// effect at once. One store a worker; look-ups from any thread, all else on the thread of its loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "auth/dialogue/credential_store.h"
#include "backends/redis/redis_connection.h"

namespace gatepost::backends {

struct RedisStoreSettings {
    std::string name = "redis";  ///< the key under `backends:`
    std::string key = "gatepost:user:{user}";
    RedisSettings redis;
};

/// What rediss:// needs, or nullptr for a URL without TLS. Reads files; blocks. One for each worker.
[[nodiscard]] Result<std::shared_ptr<const net::TlsClientContext>> make_redis_tls(const RedisUrl& url,
                                                                                  const std::string& tls_ca);

class RedisStore final : public auth::CredentialStore {
  public:
    /// `loop`, `resolver` and `observer` must outlive it. Connects once the loop runs.
    RedisStore(net::EventLoop& loop, net::Resolver& resolver, RedisStoreSettings settings,
               RedisObserver& observer);
    /// On the loop's thread, or when the loop does not run any more. Unanswered look-ups are kUnavailable.
    ~RedisStore() override;
    RedisStore(const RedisStore&) = delete;
    RedisStore& operator=(const RedisStore&) = delete;

    /// Answers within `redis.timeout`, as long as the loop runs.
    void lookup(std::string_view user, Executor& home,
                std::move_only_function<void(auth::Lookup)> answer) override;

    /// The password from the next connection on; the one that stands goes on. A store that has none tries at
    /// once. Any thread.
    void set_password(std::shared_ptr<const Secret> password);

  private:
    struct Core;

    net::EventLoop& loop_;
    std::shared_ptr<Core> core_;  ///< look-ups on their way hold it weakly
};

}  // namespace gatepost::backends

// One Redis of `auth.backends`: the settings of its stores, of which each worker has one, and its password,
// which is read again when its file changes. Main thread; connects to nothing by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/redis/redis_store.h"
#include "conf/config.h"
#include "proxy/net/resolver.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/redis_log.h"

namespace gatepost::server {

/// What is wrong with the backend at one of its keys ("url", "tls_ca", "key").
struct RedisProblem {
    std::string key;
    std::string message;  ///< shows no secret
};
/// The same of the keys "url" and "tls_ca" of whatever is in a Redis.
[[nodiscard]] std::vector<RedisProblem> redis_address_problems(const std::string& url,
                                                               const std::string& tls_ca);
/// Reads the CA; blocks. A key that was wrong before is empty and passed over.
[[nodiscard]] std::vector<RedisProblem> redis_problems(const conf::RedisBackend& redis);

class RedisBackend {
  public:
    /// Requires that redis_problems() has none. One TLS context for each of `workers` is made now, from files
    /// as they are now. `log` outlives it.
    [[nodiscard]] static Result<std::unique_ptr<RedisBackend>> make(std::string name,
                                                                    const conf::RedisBackend& redis,
                                                                    unsigned workers, observe::LogSink& log);

    /// The store of one worker, which connects once `loop` runs. This object and all arguments outlive it;
    /// `workers` calls at most.
    [[nodiscard]] std::shared_ptr<auth::CredentialStore> make_store(net::EventLoop& loop,
                                                                    net::Resolver& resolver,
                                                                    observe::WorkerMetrics& metrics,
                                                                    observe::BackendIndex index);

    /// Whether an operator says that its records can serve `mechanism`.
    [[nodiscard]] bool serves(const std::string& mechanism) const;

    /// Reads the password again, in the background; a changed one is given to the stores by `home`, the main
    /// thread's loop.
    void look_at_password(net::BackgroundThread& background, Executor& home);

    ~RedisBackend() { *self_ = nullptr; }
    RedisBackend(const RedisBackend&) = delete;
    RedisBackend& operator=(const RedisBackend&) = delete;

  private:
    RedisBackend(const conf::RedisBackend& redis, backends::RedisStoreSettings settings,
                 observe::LogSink& log);
    void on_password(Result<conf::SharedSecret> read);

    backends::RedisStoreSettings settings_;  ///< of each store, but for `tls`
    const std::string password_file_;
    const std::vector<std::string> mechanisms_;
    observe::LogSink& log_;
    RedisLog changes_;
    std::vector<std::shared_ptr<const net::TlsClientContext>> tls_;  ///< for stores that are not made yet
    struct Made {
        net::EventLoop* loop;
        std::weak_ptr<backends::RedisStore> store;
    };
    std::vector<Made> stores_;
    std::shared_ptr<RedisBackend*> self_ = std::make_shared<RedisBackend*>(this);  ///< of the main thread
    bool could_read_ = true;
};

}  // namespace gatepost::server

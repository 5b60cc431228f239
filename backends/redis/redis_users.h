// The users of a Redis, to be listed and changed by commands: over a connection and a loop of its own, which
// runs only inside its calls. Each call ends within a few times the connection's timeout.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/dialogue/user_directory.h"
#include "backends/redis/redis_connection.h"
#include "backends/redis/redis_store.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"

namespace gatepost::backends {

class RedisUsers final : public auth::UserDirectory, private RedisObserver {
  public:
    /// Connects with the first question.
    explicit RedisUsers(RedisStoreSettings settings);

    [[nodiscard]] auth::FromDirectory<std::shared_ptr<const auth::StoredCredential>> find(
        std::string_view user) override;
    /// By SCAN, so the server goes on serving others. What is no hash is passed over.
    [[nodiscard]] auth::FromDirectory<std::vector<std::shared_ptr<const auth::StoredCredential>>> all()
        override;
    [[nodiscard]] auth::FromDirectory<std::vector<bool>> known(std::span<const std::string> users) override;
    /// In transactions of kMostInOne users; an error says how many were written before it.
    [[nodiscard]] auth::FromDirectory<std::size_t> write(std::span<const auth::UserChange> changes) override;
    [[nodiscard]] auth::FromDirectory<bool> remove(std::string_view user) override;

    static constexpr std::size_t kMostInOne = 100;

  private:
    using Words = std::vector<ByteView>;  ///< of one command
    using Replies = std::vector<RedisReply>;

    void on_redis_connected(std::string_view server) override;
    void on_redis_lost(std::string_view server, std::string_view reason) override;
    void on_redis_breaker(bool /*is_open*/) override {}

    /// Sends them all at once and waits for all answers, errors among them.
    [[nodiscard]] auth::FromDirectory<Replies> ask(const std::vector<Words>& commands);
    /// The same, but the first answer that is an error is one.
    [[nodiscard]] auth::FromDirectory<Replies> ask_well(const std::vector<Words>& commands);
    [[nodiscard]] auth::DirectoryError error_of(const RedisReply& reply) const;
    [[nodiscard]] auth::FromDirectory<std::vector<std::string>> names();
    [[nodiscard]] std::vector<std::string> keys_of(std::span<const auth::UserChange> changes) const;

    /// Nothing: somebody else changed one of the users at the same time, or the connection was lost.
    [[nodiscard]] auth::FromDirectory<std::optional<std::size_t>> write_once(
        std::span<const auth::UserChange> changes);
    [[nodiscard]] auth::FromDirectory<bool> write_watched(std::span<const auth::UserChange> changes,
                                                          std::span<const std::string> keys);

    const std::string name_;
    const std::string key_;
    net::EventLoop loop_;
    net::BackgroundThread background_;
    net::Resolver resolver_;
    std::string trouble_;          ///< what happened to the connection last
    std::size_t connections_ = 0;  ///< made so far
    RedisConnection connection_;
};

}  // namespace gatepost::backends

#include "backends/redis/redis_users.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backends/redis/redis_credential.h"
#include "fake_redis.h"

namespace gatepost::backends {
namespace {

using auth::DirectoryError;
using auth::UserChange;

TEST(RedisKeys, OfAllUsers) {
    EXPECT_EQ(redis_scan_pattern("gatepost:user:{user}"), "gatepost:user:*");
    EXPECT_EQ(redis_scan_pattern("a[1]?*{user}\\:{user}"), "a\\[1\\]\\?\\**\\\\:*");
    EXPECT_EQ(user_of_redis_key("gatepost:user:{user}", "gatepost:user:ann@x.org"), "ann@x.org");
    EXPECT_EQ(user_of_redis_key("{user}:u", "ann:u"), "ann");
    EXPECT_EQ(user_of_redis_key("a:{user}:{user}", "a:bob:bob"), "bob");
    EXPECT_EQ(user_of_redis_key("a:{user}:{user}", "a:bob:bib"), std::nullopt);
    EXPECT_EQ(user_of_redis_key("a:{user}", "a:"), std::nullopt);
    EXPECT_EQ(user_of_redis_key("a:{user}", "b:x"), std::nullopt);
    EXPECT_EQ(user_of_redis_key("nobody", "nobody"), std::nullopt);
}

/// A server of the script in a thread of its own, since each question of RedisUsers blocks.
class Server {
  public:
    explicit Server(testing::FakeRedis::Script script) {
        fake_.emplace(loop_);
        fake_->script = std::move(script);
        thread_ = std::thread([this] { loop_.run(); });
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() { end(); }

    [[nodiscard]] RedisStoreSettings settings() const {
        RedisStoreSettings settings;
        settings.redis.url = RedisUrl::parse("redis://:hunter2@" + fake_->address()).value();
        settings.redis.timeout = std::chrono::milliseconds(300);
        return settings;
    }
    /// Once nobody asks it any more.
    std::vector<std::string> commands() {
        end();
        std::vector<std::string> asked;
        for (const std::string& command : fake_->commands) {
            if (!command.starts_with("AUTH") && !command.starts_with("CLIENT") && command != "PING")
                asked.push_back(command);
        }
        return asked;
    }

  private:
    void end() {
        if (!thread_.joinable()) return;
        loop_.stop();
        thread_.join();
    }

    net::EventLoop loop_;
    std::optional<testing::FakeRedis> fake_;
    std::thread thread_;
};

UserChange ann() {
    UserChange change;
    change.user = "ann";
    change.record = Secret("{PLAIN}x");
    change.attributes = {{"disabled", std::nullopt}, {"senders", "*@x.org"}};
    return change;
}

const std::vector<std::string> kOneWrite{"WATCH gatepost:user:ann",
                                         "HLEN gatepost:user:ann",
                                         "MULTI",
                                         "HSET gatepost:user:ann record {PLAIN}x senders *@x.org",
                                         "HDEL gatepost:user:ann scram-sha-256 disabled",
                                         "EXEC"};

TEST(RedisUsersTest, AWriteIsOneTransaction) {
    Server server([](const std::string& words) -> std::optional<std::string> {
        if (words.starts_with("HLEN")) return ":2\r\n";
        if (words == "EXEC") return "*2\r\n:1\r\n:0\r\n";
        return std::nullopt;
    });
    {
        RedisUsers users(server.settings());
        const UserChange change = ann();
        EXPECT_EQ(users.write({&change, 1}).value(), 1U);
    }
    EXPECT_EQ(server.commands(), kOneWrite);
}

TEST(RedisUsersTest, SomebodyElsesChangeInBetweenMakesItBeginAgain) {
    int refusals = 1;
    Server server([&refusals](const std::string& words) -> std::optional<std::string> {
        if (words.starts_with("HLEN")) return ":0\r\n";
        if (words == "EXEC") return refusals-- > 0 ? "*-1\r\n" : "*2\r\n:2\r\n:0\r\n";
        return std::nullopt;
    });
    {
        RedisUsers users(server.settings());
        const UserChange change = ann();
        EXPECT_EQ(users.write({&change, 1}).value(), 0U);
    }
    std::vector<std::string> twice = kOneWrite;
    twice.insert(twice.end(), kOneWrite.begin(), kOneWrite.end());
    EXPECT_EQ(server.commands(), twice);
}

TEST(RedisUsersTest, WhoIsNotThereIsNotChanged) {
    Server server([](const std::string& words) -> std::optional<std::string> {
        return words.starts_with("HLEN") ? std::optional<std::string>(":0\r\n") : std::nullopt;
    });
    {
        RedisUsers users(server.settings());
        UserChange change = ann();
        change.record.reset();
        const auto written = users.write({&change, 1});
        ASSERT_FALSE(written.has_value());
        EXPECT_EQ(written.error().message, "there is no user ann");
        EXPECT_EQ(written.error().kind, DirectoryError::Kind::kWrong);
    }
    EXPECT_EQ(server.commands().back(), "UNWATCH");
}

TEST(RedisUsersTest, ErrorsAreSaidWithoutWhatWasSent) {
    const auto message_when = [](const std::string& reply) {
        Server server([&reply](const std::string& words) -> std::optional<std::string> {
            return words.starts_with("HGETALL") ? std::optional(reply) : std::nullopt;
        });
        RedisUsers users(server.settings());
        const auto found = users.find("ann");
        EXPECT_FALSE(found.has_value());
        return found ? "" : found.error().message;
    };
    EXPECT_NE(message_when("-NOPERM hunter2\r\n").find("NOPERM: the Redis user"), std::string::npos);
    EXPECT_NE(message_when("-READONLY hunter2\r\n").find("READONLY: it is a replica"), std::string::npos);
    EXPECT_NE(message_when("-WRONGTYPE hunter2\r\n").find("holds something else"), std::string::npos);
    EXPECT_EQ(message_when("-NOAUTH hunter2\r\n").find("hunter2"), std::string::npos);
    EXPECT_NE(message_when(":7\r\n").find("cannot be"), std::string::npos);
}

TEST(RedisUsersTest, AServerThatIsNotThereOrSaysNothingIsToldInTime) {
    const auto began = std::chrono::steady_clock::now();
    RedisStoreSettings settings;
    settings.redis.url = RedisUrl::parse("redis://user:hunter2@127.0.0.1:1").value();
    settings.redis.timeout = std::chrono::milliseconds(300);
    const auto found = RedisUsers(std::move(settings)).find("ann");
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().kind, DirectoryError::Kind::kUnreachable);
    EXPECT_NE(found.error().message.find("127.0.0.1:1: "), std::string::npos) << found.error().message;
    EXPECT_EQ(found.error().message.find("hunter2"), std::string::npos);

    Server server([](const std::string& words) -> std::optional<std::string> {
        return words.starts_with("HGETALL") ? std::optional<std::string>("") : std::nullopt;
    });
    RedisUsers users(server.settings());
    const auto silent = users.find("ann");
    ASSERT_FALSE(silent.has_value());
    EXPECT_NE(silent.error().message.find("in time"), std::string::npos) << silent.error().message;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace gatepost::backends

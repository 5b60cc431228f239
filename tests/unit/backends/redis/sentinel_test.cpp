#include "backends/redis/sentinel.h"

#include <optional>

#include <gtest/gtest.h>

#include "backends/redis/redis_connection.h"
#include "tests/unit/backends/redis/fake_redis.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::backends::testing {
namespace {

using namespace std::chrono_literals;
using net::testing::run_until;

constexpr const char* kQuestion = "SENTINEL GET-MASTER-ADDR-BY-NAME main";

class SentinelTest : public ::testing::Test {
  protected:
    SentinelTest() {
        for (FakeRedis* server : {&one, &two}) server->answers["ROLE"] = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
        first.answers[kQuestion] = second.answers[kQuestion] = names(one);
    }

    static std::string names(const FakeRedis& server) {
        const std::size_t colon = server.address().find(':');
        return array({server.address().substr(0, colon), server.address().substr(colon + 1)});
    }

    void start() {
        const std::string url =
            "redis-sentinel://:pass@" + first.address() + "," + second.address() + "/main/2";
        RedisSettings settings;
        settings.url = *RedisUrl::parse(url);
        settings.timeout = settings.connect_timeout = 300ms;
        connection.emplace(loop, resolver, std::move(settings), observer);
    }
    bool is_connected_to(const FakeRedis& server) {
        return run_until(loop, [&] {
            return connection->is_connected() && observer.connected.back() == server.address();
        });
    }

    net::EventLoop loop;
    net::BackgroundThread background;
    net::Resolver resolver{background};
    FakeRedis first{loop};
    FakeRedis second{loop};
    FakeRedis one{loop};
    FakeRedis two{loop};
    FakeObserver observer;
    std::optional<RedisConnection> connection;
};

TEST_F(SentinelTest, Master_IsAskedForGreetedAndToldThePasswordThatSentinelIsNot) {
    start();
    ASSERT_TRUE(is_connected_to(one));
    EXPECT_EQ(one.commands,
              (std::vector<std::string>{"AUTH pass", "SELECT 2", "CLIENT SETNAME gatepost", "ROLE", "PING"}));
    EXPECT_EQ(first.count("AUTH pass"), 0);
    EXPECT_EQ(second.accepted, 0);
}

TEST_F(SentinelTest, SentinelThatIsGoneSilentOrIgnorant_IsPassedOver) {
    for (const char* answer : {"*-1\r\n", "", "-ERR no\r\n", "*1\r\n$1\r\nx\r\n", "*2\r\n:1\r\n:2\r\n"}) {
        first.answers[kQuestion] = answer;
        start();
        ASSERT_TRUE(is_connected_to(one)) << answer;
        connection.reset();
        observer.connected.clear();
    }
    first.go_away();
    start();
    ASSERT_TRUE(is_connected_to(one));
}

TEST_F(SentinelTest, Failover_IsFollowedAndTheSentinelThatKnewIsAskedFirst) {
    first.go_away();
    start();
    ASSERT_TRUE(is_connected_to(one));
    second.answers[kQuestion] = names(two);
    one.go_away();
    ASSERT_TRUE(is_connected_to(two));
    EXPECT_EQ(second.count(kQuestion), 2);
}

TEST_F(SentinelTest, AReplicaIsNotBelieved_UntilTheSentinelsNameAMaster) {
    one.answers["ROLE"] = "*5\r\n$5\r\nslave\r\n$1\r\nx\r\n:1\r\n$1\r\ny\r\n:1\r\n";
    start();
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost[0], "it is not the master");
    first.answers[kQuestion] = names(two);
    ASSERT_TRUE(is_connected_to(two));
}

TEST_F(SentinelTest, ReadOnly_MakesItAskAgain) {
    one.answers["SET"] = "-READONLY You can't write against a read only replica.\r\n";
    start();
    ASSERT_TRUE(is_connected_to(one));
    first.answers[kQuestion] = names(two);
    std::optional<RedisOutcome> outcome;
    connection->command({"SET"}, [&](RedisOutcome answer) { outcome = std::move(answer); });
    ASSERT_TRUE(is_connected_to(two));
    EXPECT_EQ(outcome->reply.error_code(), "READONLY");
}

TEST_F(SentinelTest, NoSentinel_NamesEachAndItsTrouble) {
    first.go_away();
    second.answers[kQuestion] = "*-1\r\n";
    start();
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost[0], "no Sentinel names the master: Sentinel " + first.address() +
                                    ": it cannot be connected to; Sentinel " + second.address() +
                                    ": it does not know the master");
}

}  // namespace
}  // namespace gatepost::backends::testing

#include "backends/redis/redis_url.h"

#include <gtest/gtest.h>

#include "backends/redis/redis_breaker.h"

namespace gatepost::backends {
namespace {

using namespace std::chrono_literals;

/// Everything in it on one line.
std::string read(std::string_view text) {
    const auto url = RedisUrl::parse(text);
    if (!url) return "error: " + url.error().message;
    std::string all = url->is_tls ? "tls" : "plain";
    for (const std::string& server : url->servers) all += " " + server;
    if (!url->master.empty()) all += " master=" + url->master;
    all += " db=" + std::to_string(url->database);
    if (!url->username.empty()) all += " user=" + url->username;
    if (url->password) all += " password=" + std::string(url->password->reveal());
    return all;
}

TEST(RedisUrl, GoodOnes) {
    EXPECT_EQ(read("redis://127.0.0.1:6379/0"), "plain 127.0.0.1:6379 db=0");
    EXPECT_EQ(read("redis://redis.internal"), "plain redis.internal:6379 db=0");
    EXPECT_EQ(read("redis://redis.internal/"), "plain redis.internal:6379 db=0");
    EXPECT_EQ(read("rediss://bob:s%40/@cret@[::1]/7"), "tls [::1]:6379 db=7 user=bob password=s@/@cret");
    EXPECT_EQ(read("redis://:only@h:1"), "plain h:1 db=0 password=only");
    EXPECT_EQ(read("unix:///run/redis/a%20b.sock"), "plain unix:/run/redis/a b.sock db=0");
    EXPECT_EQ(read("unix:///run/r@dis.sock?db=3"), "plain unix:/run/r@dis.sock db=3");
    EXPECT_EQ(read("unix://u:p@/run/redis.sock"), "plain unix:/run/redis.sock db=0 user=u password=p");
    EXPECT_EQ(read("redis-sentinel://a,b:1,[::1]:2/mymaster/4"),
              "plain a:26379 b:1 [::1]:2 master=mymaster db=4");
    EXPECT_EQ(read("rediss-sentinel://u:p@a/m"), "tls a:26379 master=m db=0 user=u password=p");
}

TEST(RedisUrl, BadOnes_SayWhatIsWrongWithoutThePassword) {
    for (const char* text : {"",
                             "redis:",
                             "http://h",
                             "redis://",
                             "redis://h:0",
                             "redis://h:x",
                             "redis://h:65536",
                             "redis://h/x",
                             "redis://h/-1",
                             "redis://secret@h",
                             "redis://u:secret%4@h",
                             "unix://relative",
                             "unix://",
                             "unix:///a?x=1",
                             "unix:///a?db=",
                             "redis-sentinel://a",
                             "redis-sentinel://a/",
                             "redis-sentinel:///m",
                             "redis-sentinel://a,/m",
                             "redis-sentinel://a/m/x",
                             "redis://u:secret@h h:1",
                             "redis://unix:/a"}) {
        const std::string result = read(text);
        EXPECT_TRUE(result.starts_with("error: ")) << text << ": " << result;
        EXPECT_EQ(result.find("secret"), std::string::npos) << result;
    }
}

TEST(RedisUrl, HostOf_IsWhatACertificateNames) {
    EXPECT_EQ(host_of("[::1]:6379"), "::1");
    EXPECT_EQ(host_of("redis.internal:6379"), "redis.internal");
    EXPECT_EQ(host_of("unix:/run/redis.sock"), "");
}

TEST(RedisBreaker, FiveFailures_OpenItForASecondAndTheProbeDecides) {
    using State = RedisBreaker::State;
    RedisBreaker breaker;
    const TimePoint start{};
    for (int failure = 0; failure < 4; ++failure) breaker.failed(start);
    EXPECT_EQ(breaker.state(start), State::kClosed);
    breaker.succeeded();
    for (int failure = 0; failure < 5; ++failure) breaker.failed(start);
    EXPECT_EQ(breaker.state(start + 999ms), State::kOpen);
    EXPECT_EQ(breaker.state(start + 1s), State::kHalfOpen);
    breaker.failed(start + 1s);
    EXPECT_EQ(breaker.state(start + 1999ms), State::kOpen);
    breaker.connected();
    EXPECT_EQ(breaker.state(start + 1999ms), State::kHalfOpen);
    breaker.succeeded();
    EXPECT_EQ(breaker.state(start + 1999ms), State::kClosed);
}

TEST(Backoff, Grows_FromFiftyMillisecondsToFiveSeconds) {
    Backoff backoff;
    Duration whole = 50ms;
    for (int attempt = 0; attempt < 12; ++attempt) {
        const Duration rest = backoff.next();
        EXPECT_GE(rest, whole / 2);
        EXPECT_LE(rest, whole);
        whole = std::min<Duration>(whole * 2, 5s);
    }
    backoff.reset();
    EXPECT_LE(backoff.next(), 50ms);
}

}  // namespace
}  // namespace gatepost::backends

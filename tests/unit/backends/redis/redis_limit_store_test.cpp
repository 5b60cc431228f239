// The store of limits against a server of few words: when it asks whom, and what it does about answers that
// do not come. What a real Redis makes of the script is tested in tests/e2e/test_redis_limits.py.
#include "backends/redis/redis_limit_store.h"

#include <optional>

#include <gtest/gtest.h>

#include "backends/redis/limit_script.h"
#include "proxy/policy/memory_limit_store.h"
#include "tests/unit/backends/redis/fake_redis.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::backends::testing {
namespace {

using namespace std::chrono_literals;
using net::testing::run_until;
using policy::Allow;
using policy::CountedBy;
using policy::Counting;
using policy::LimitAnswers;
using policy::LimitQuestion;
using WhenAway = RedisLimitSettings::WhenAway;

class FakeLimitObserver final : public RedisLimitObserver {
  public:
    void on_limit_store_away(std::string_view reason, unsigned) override { away.emplace_back(reason); }
    void on_limit_store_back() override { ++back; }
    void on_limit_answer(Duration) override { ++answers; }
    void on_limit_error() override { ++errors; }
    void on_limit_replicas(unsigned seen) override { replicas = seen; }

    std::vector<std::string> away;
    int back = 0;
    int answers = 0;
    int errors = 0;
    unsigned replicas = 0;
};

/// Answers what it is asked, and keeps the questions.
class FakeStandIn final : public policy::LimitStore {
  public:
    void ask(std::vector<LimitQuestion> batch, TimePoint, Executor& home,
             std::move_only_function<void(LimitAnswers)> answer) override {
        LimitAnswers answers(batch.size(), Allow{.used = 7});
        asked.push_back(std::move(batch));
        home.post([answers = std::move(answers), answer = std::move(answer)]() mutable {
            answer(std::move(answers));
        });
    }
    std::vector<std::vector<LimitQuestion>> asked;
};

class RedisLimitStoreTest : public ::testing::Test {
  protected:
    RedisLimitStoreTest() {
        fake.script = [this](const std::string& words) { return script(words); };
    }

    RedisLimitStore& start(WhenAway when_away = WhenAway::kStandIn) {
        RedisLimitSettings settings;
        settings.redis.url = *RedisUrl::parse("redis://" + fake.address());
        settings.redis.timeout = 150ms;
        settings.redis.connect_timeout = 300ms;
        settings.when_away = when_away;
        settings.replica = "me";
        return store.emplace(loop, resolver, std::move(settings), stand_in, observer);
    }

    RedisLimitStore& connected(WhenAway when_away = WhenAway::kStandIn) {
        start(when_away);
        EXPECT_TRUE(run_until(loop, [&] { return fake.count("SCRIPT LOAD " + text) == 1; }));
        EXPECT_TRUE(run_until(loop, [&] { return store->is_connected(); }));
        // Until the answer to it was heard, the script goes along whole.
        for (int tries = 0; tries < 100 && count_of("EVALSHA ") == 0; ++tries)
            (void)ask({question(Counting::kPeek)});
        fake.commands.clear();
        observer = FakeLimitObserver();
        return *store;
    }

    std::optional<std::string> script(const std::string& words) {
        if (words.starts_with("SCRIPT LOAD ")) return bulk("sha");
        if (words.find("ZCOUNT") != std::string::npos) return beat;
        if (words.find("HSET") != std::string::npos && words.find("HINCRBY") == std::string::npos)
            return ":1\r\n";
        if (words.starts_with("EVALSHA ")) return evalsha;
        if (words.starts_with("EVAL ")) return eval;
        return std::nullopt;
    }

    LimitAnswers ask(std::vector<LimitQuestion> batch) {
        std::optional<LimitAnswers> answers;
        store->ask(std::move(batch), loop.now(), loop, [&](LimitAnswers got) { answers = std::move(got); });
        EXPECT_FALSE(answers) << "answered inside the call";
        EXPECT_TRUE(run_until(loop, [&] { return answers.has_value(); }));
        return answers.value_or(LimitAnswers{});
    }

    static LimitQuestion question(Counting counting, CountedBy by = CountedBy::kStore) {
        return {.key = {"limit:a:b"},
                .rate = {.count = 60, .per = 1min, .burst = 60},
                .counting = counting,
                .by = by};
    }

    [[nodiscard]] int count_of(std::string_view word) const {
        int found = 0;
        for (const std::string& one : fake.commands) found += one.starts_with(word) ? 1 : 0;
        return found;
    }
    [[nodiscard]] int count_with(std::string_view part) const {
        int found = 0;
        for (const std::string& one : fake.commands) found += one.find(part) != std::string::npos ? 1 : 0;
        return found;
    }

    net::EventLoop loop;
    net::BackgroundThread background;
    net::Resolver resolver{background};
    FakeRedis fake{loop};
    FakeLimitObserver observer;
    FakeStandIn stand_in;
    const std::string text{limit_script()};
    std::optional<std::string> evalsha = "*3\r\n:1\r\n:0\r\n:1000000\r\n";
    std::optional<std::string> eval = evalsha;
    std::optional<std::string> beat = ":4\r\n";
    std::optional<RedisLimitStore> store;
};

TEST_F(RedisLimitStoreTest, ABatch_IsOneCommand) {
    connected();
    evalsha = "*6\r\n:1\r\n:1000000\r\n:2000000\r\n:0\r\n:60000000\r\n:60000000\r\n";
    const auto answers = ask({question(Counting::kCharge), question(Counting::kPeek)});
    EXPECT_EQ(answers, (LimitAnswers{Allow{.used = 2}, policy::Refused{1s, 60}}));
    EXPECT_EQ(count_of("EVALSHA sha 2 gatepost:limit:a:b gatepost:limit:a:b"), 1);
    EXPECT_EQ(observer.answers, 1);
    EXPECT_TRUE(stand_in.asked.empty());
}

TEST_F(RedisLimitStoreTest, WhenTheScriptIsForgotten_ItIsSentOnce) {
    connected();
    evalsha = "-NOSCRIPT No matching script\r\n";
    EXPECT_EQ(ask({question(Counting::kCharge)}), (LimitAnswers{Allow{.used = 1}}));
    EXPECT_EQ(count_of("EVALSHA"), 1);
    EXPECT_EQ(count_of("EVAL " + text), 1);
    eval = evalsha;
    EXPECT_EQ(ask({question(Counting::kCharge)}),
              (LimitAnswers{Allow{.used = 7, .by = CountedBy::kStandIn}}));
    EXPECT_EQ(count_of("EVAL " + text), 2);
}

TEST_F(RedisLimitStoreTest, WhenTheAnswerIsAnError_TheStandInCountsItsShare) {
    connected();
    EXPECT_EQ(ask({question(Counting::kCharge)}).size(), 1U);
    ASSERT_TRUE(run_until(loop, [&] { return store->replicas() == 4; }));
    evalsha = "-OOM no memory\r\n";
    EXPECT_EQ(ask({question(Counting::kCharge)}),
              (LimitAnswers{Allow{.used = 7, .by = CountedBy::kStandIn}}));
    EXPECT_EQ(stand_in.asked.at(0).at(0).rate.per, 4min);
    EXPECT_EQ(stand_in.asked.at(0).at(0).rate.burst, 15U);
    EXPECT_EQ(observer.away, std::vector<std::string>{"it answers OOM"});
    EXPECT_EQ(observer.errors, 1);
    evalsha = "*3\r\n:1\r\n:0\r\n:0\r\n";
    EXPECT_EQ(ask({question(Counting::kCharge)}), (LimitAnswers{Allow{.used = 0}}));
    EXPECT_EQ(observer.back, 1);
}

TEST_F(RedisLimitStoreTest, WhenNoAnswerComes_ItIsGivenByTheDeadlineAndALateOneIsIgnored) {
    connected();
    evalsha = "";  // silence
    const TimePoint began = loop.now();
    int answered = 0;
    store->ask({question(Counting::kCharge)}, loop.now(), loop, [&](const LimitAnswers& got) {
        EXPECT_EQ(got, (LimitAnswers{Allow{.used = 7, .by = CountedBy::kStandIn}}));
        ++answered;
    });
    ASSERT_TRUE(run_until(loop, [&] { return answered == 1; }));
    EXPECT_GE(loop.now() - began, 140ms);
    fake.send_to_all("*3\r\n:1\r\n:0\r\n:0\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return observer.back == 1; })) << "the signs of life find it again";
    EXPECT_EQ(answered, 1);
    EXPECT_EQ(observer.away.size(), 1U);
}

TEST_F(RedisLimitStoreTest, WhileItIsKnownToBeAway_NobodyWaits) {
    connected();
    ask({question(Counting::kCharge)});
    fake.go_away();
    ASSERT_TRUE(run_until(loop, [&] { return !store->is_connected(); }));
    ask({question(Counting::kCharge)});
    ASSERT_TRUE(store->is_away());
    const TimePoint began = loop.now();
    for (int i = 0; i < 20; ++i) ask({question(Counting::kCharge)});
    EXPECT_LT(loop.now() - began, 100ms);
    EXPECT_EQ(observer.away.size(), 1U);
    fake.come_back();
    EXPECT_TRUE(run_until(loop, [&] { return observer.back == 1; }));
}

TEST_F(RedisLimitStoreTest, WhenAwayMeansAllow_EverybodyIsLetInUncounted) {
    connected(WhenAway::kAllow);
    evalsha = "-OOM no memory\r\n";
    EXPECT_EQ(ask({question(Counting::kCharge)}), (LimitAnswers{Allow{.used = 0, .by = CountedBy::kNobody}}));
    EXPECT_TRUE(stand_in.asked.empty());
}

TEST_F(RedisLimitStoreTest, WhenAwayMeansDefer_NothingIsAnswered) {
    connected(WhenAway::kDefer);
    evalsha = "-OOM no memory\r\n";
    EXPECT_EQ(ask({question(Counting::kCharge)}), (LimitAnswers{policy::Unavailable{}}));
    EXPECT_TRUE(stand_in.asked.empty());
}

TEST_F(RedisLimitStoreTest, WhatSomebodyElseCounted_IsGivenBackToHim) {
    connected();
    EXPECT_EQ(ask({question(Counting::kReturn, CountedBy::kNobody)}),
              (LimitAnswers{Allow{.used = 0, .by = CountedBy::kNobody}}));
    EXPECT_EQ(count_of("EVALSHA"), 0);
    EXPECT_EQ(ask({question(Counting::kReturn, CountedBy::kStandIn), question(Counting::kReturn),
                   question(Counting::kLeave, CountedBy::kNobody)}),
              (LimitAnswers{Allow{.used = 7, .by = CountedBy::kStandIn}, Allow{.used = 1},
                            Allow{.used = 0, .by = CountedBy::kNobody}}));
    EXPECT_EQ(count_of("EVALSHA"), 1);
    EXPECT_EQ(stand_in.asked.size(), 1U);
}

TEST_F(RedisLimitStoreTest, WhatRedisCounted_IsNeverGivenBackToTheStandIn) {
    connected();
    evalsha = "-OOM no memory\r\n";
    EXPECT_EQ(ask({question(Counting::kReturn), question(Counting::kLeave)}),
              (LimitAnswers{policy::Unavailable{}, policy::Unavailable{}}));
    EXPECT_TRUE(stand_in.asked.empty());
}

TEST_F(RedisLimitStoreTest, BeforeAnybodyAsks_ASignOfLifeIsGiven) {
    start();
    EXPECT_TRUE(run_until(loop, [&] { return count_with("ZCOUNT") >= 1; }));
    EXPECT_TRUE(run_until(loop, [&] { return observer.replicas == 4; }));
}

TEST_F(RedisLimitStoreTest, AfterAReconnect_ItLivesAndItsSessionsAreTold) {
    connected();
    ask({question(Counting::kEnter)});
    ask({question(Counting::kEnter)});
    fake.commands.clear();
    fake.drop_clients();
    ASSERT_TRUE(run_until(loop, [&] { return count_with("ZCOUNT") == 1; }));
    EXPECT_TRUE(run_until(loop, [&] { return count_with(" 1 gatepost:sessions:limit:a:b me/0 2") == 1; }));
}

TEST_F(RedisLimitStoreTest, WhenTheStoreEnds_WhoeverWaitsIsAnswered) {
    connected();
    evalsha = "";  // silence
    std::optional<LimitAnswers> answers;
    store->ask({question(Counting::kCharge)}, loop.now(), loop,
               [&](LimitAnswers got) { answers = std::move(got); });
    store.reset();
    ASSERT_TRUE(run_until(loop, [&] { return answers.has_value(); }));
    EXPECT_EQ(*answers, (LimitAnswers{policy::Unavailable{}}));
}

}  // namespace
}  // namespace gatepost::backends::testing

// The store of limits against a real Redis, for tests/e2e/test_redis_limits.py, which starts one and gives
// its URL in GATEPOST_REDIS. Each test has keys of its own.
#include <cstdlib>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "backends/redis/redis_limit_store.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/policy/memory_limit_store.h"
#include "tests/fakes/limit_schedule.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::backends::testing {
namespace {

using namespace std::chrono_literals;
using net::testing::run_until;
using policy::Allow;
using policy::Counting;
using policy::LimitAnswers;
using policy::LimitQuestion;
using policy::Rate;

class Unheard final : public RedisLimitObserver {
    void on_limit_store_away(std::string_view reason, unsigned) override {
        ADD_FAILURE() << "away: " << reason;
    }
    void on_limit_store_back() override {}
    void on_limit_answer(Duration) override {}
    void on_limit_error() override {}
    void on_limit_replicas(unsigned) override {}
};

class RedisLimits : public ::testing::Test {
  protected:
    std::unique_ptr<RedisLimitStore> make(std::string replica = "one", unsigned number = 0,
                                          std::string clock = "") {
        RedisLimitSettings settings;
        settings.redis.url = *RedisUrl::parse(std::getenv("GATEPOST_REDIS"));
        settings.redis.timeout = 10s;
        settings.replica = std::move(replica);
        settings.number = number;
        settings.clock = std::move(clock);
        return std::make_unique<RedisLimitStore>(loop, resolver, std::move(settings), memory, observer);
    }

    LimitAnswers ask(RedisLimitStore& store, std::vector<LimitQuestion> batch) {
        std::optional<LimitAnswers> answers;
        store.ask(std::move(batch), loop.now(), loop, [&](LimitAnswers got) { answers = std::move(got); });
        EXPECT_TRUE(run_until(loop, [&] { return answers.has_value(); }));
        return answers.value_or(LimitAnswers{});
    }

    std::vector<policy::LimitEntry> list(RedisLimitStore& store, const std::string& prefix,
                                         std::size_t most = 1000) {
        std::optional<policy::LimitInventory::Entries> found;
        store.list(prefix, most, loop.now(), loop, [&](auto got) { found = std::move(got); });
        EXPECT_TRUE(run_until(loop, [&] { return found.has_value(); }));
        EXPECT_TRUE(found && *found) << found->error().message;
        return found->value_or(std::vector<policy::LimitEntry>{});
    }

    bool forget(RedisLimitStore& store, const std::string& key) {
        std::optional<Result<bool>> gone;
        store.forget({key}, loop, [&](Result<bool> got) { gone = std::move(got); });
        EXPECT_TRUE(run_until(loop, [&] { return gone.has_value(); }));
        return gone && *gone && **gone;
    }

    static std::string microseconds(TimePoint time) {
        return std::to_string(std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count());
    }

    static LimitQuestion one(std::string key, Counting counting, Rate rate, std::uint64_t events = 1) {
        return {.key = {std::move(key)}, .rate = rate, .counting = counting, .events = events};
    }

    net::EventLoop loop;
    net::BackgroundThread background;
    net::Resolver resolver{background};
    policy::MemoryLimitStore memory;
    Unheard observer;
};

bool is_allowed(const LimitAnswers& answers) {
    return std::holds_alternative<Allow>(answers.at(0));
}

TEST_F(RedisLimits, RandomSchedules_AreAnsweredAsTheModelDoes) {
    const auto store = make();
    int refused = 0;
    int counted = 0;
    for (std::uint64_t seed = 1; seed <= 20 && !HasFatalFailure(); ++seed) {
        test::LimitSchedule schedule(
            {.store = store.get(),
             .home = &loop,
             .run_until = [&](const std::function<bool()>& holds) { return run_until(loop, holds); },
             .set_time = [&](TimePoint now) { store->set_clock(microseconds(now)); }},
            {.seed = seed, .tick = 1us, .prefix = "limit:schedule" + std::to_string(seed) + ":"});
        schedule.run();
        refused += schedule.refused_batches();
        counted += schedule.counted_batches();
    }
    EXPECT_GT(refused, 1000);
    EXPECT_GT(counted, 1000);
}

TEST_F(RedisLimits, ManyStoresAtOnce_LetInNoMoreThanTheBurst) {
    std::vector<std::unique_ptr<RedisLimitStore>> stores;
    for (unsigned i = 0; i < 5; ++i) stores.push_back(make("replica" + std::to_string(i % 2), i));
    int allowed = 0;
    int answered = 0;
    constexpr int kAsked = 500;
    for (int i = 0; i < kAsked; ++i) {
        stores[static_cast<std::size_t>(i) % stores.size()]->ask(
            {one("limit:burst:x", Counting::kCharge, {.count = 1, .per = 24h, .burst = 100})}, loop.now(),
            loop, [&](const LimitAnswers& answers) {
                allowed += is_allowed(answers) ? 1 : 0;
                ++answered;
            });
    }
    ASSERT_TRUE(run_until(loop, [&] { return answered == kAsked; }));
    EXPECT_EQ(allowed, 100);
}

TEST_F(RedisLimits, WhenTheRateOfAKeyChanges_WhatWasCountedStaysAsManyEvents) {
    const auto store = make();
    ask(*store, {one("limit:changed:x", Counting::kCharge, {.count = 7, .per = 24h, .burst = 10}, 8)});
    const Rate changed{.count = 11, .per = 48h, .burst = 10};
    EXPECT_FALSE(is_allowed(ask(*store, {one("limit:changed:x", Counting::kCharge, changed, 3)})));
    EXPECT_EQ(std::get<Allow>(ask(*store, {one("limit:changed:x", Counting::kPeek, changed)})[0]).used, 8U);
}

TEST_F(RedisLimits, ByItsOwnClock_WhatWasCountedWearsOffAndTheKeyVanishes) {
    const auto store = make();
    const Rate rate{.count = 10, .per = 1s, .burst = 2};
    EXPECT_TRUE(is_allowed(ask(*store, {one("limit:worn:x", Counting::kCharge, rate, 2)})));
    EXPECT_FALSE(is_allowed(ask(*store, {one("limit:worn:x", Counting::kCharge, rate)})));
    EXPECT_EQ(list(*store, "limit:worn:").size(), 1U);
    std::this_thread::sleep_for(250ms);
    EXPECT_TRUE(list(*store, "limit:worn:").empty());
    EXPECT_TRUE(is_allowed(ask(*store, {one("limit:worn:x", Counting::kCharge, rate, 2)})));
}

TEST_F(RedisLimits, SessionsOfAReplicaThatFellSilent_AreNotCounted) {
    const auto crashed = make("crashed", 0, "1000000000");
    const auto other = make("other", 0, "1000000000");
    const Rate two{.burst = 2};
    const std::string key = "limit:silent:x";
    EXPECT_TRUE(is_allowed(ask(*crashed, {one(key, Counting::kEnter, two, 2)})));
    EXPECT_FALSE(is_allowed(ask(*other, {one(key, Counting::kEnter, two)})));
    other->set_clock("1029000000");
    EXPECT_FALSE(is_allowed(ask(*other, {one(key, Counting::kEnter, two)})));
    other->set_clock("1031000000");
    EXPECT_TRUE(is_allowed(ask(*other, {one(key, Counting::kEnter, two)})));
}

TEST_F(RedisLimits, WhatIsCounted_IsListedAndForgottenAndNothingElse) {
    const auto store = make("lister");
    const Rate rate{.count = 1, .per = 1h, .burst = 5};
    ask(*store, {one("limit:listed:*[a]", Counting::kCharge, rate, 2),
                 one("limit:listed:b", Counting::kEnter, {.burst = 3}, 2)});
    ask(*store, {one("limit:listed:xa", Counting::kCharge, rate)});
    auto found = list(*store, "limit:listed:*[a]");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_GT(found[0].empty_after, 119min);
    EXPECT_LE(found[0].empty_after, 120min);
    EXPECT_EQ(list(*store, "limit:listed:").size(), 3U);
    EXPECT_EQ(list(*store, "limit:listed:", 2).size(), 2U);
    found = list(*store, "limit:listed:b");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].there_now, 2U);
    EXPECT_TRUE(forget(*store, "limit:listed:b"));
    EXPECT_TRUE(forget(*store, "limit:listed:xa"));
    EXPECT_FALSE(forget(*store, "limit:listed:xa"));
    EXPECT_FALSE(forget(*store, "replicas"));
    EXPECT_FALSE(forget(*store, "user:ann"));  // the test has put her there
    EXPECT_EQ(list(*store, "").size(), list(*store, "limit:").size()) << "users are no limits";
    EXPECT_EQ(list(*store, "limit:listed:").size(), 1U);
}

TEST_F(RedisLimits, Replicas_AreCountedOnceForAllTheirStores) {
    const auto first = make("counted1", 0);
    const auto second = make("counted1", 1);
    const auto third = make("counted2", 0);
    for (RedisLimitStore* store : {first.get(), second.get(), third.get()})
        ask(*store, {one("limit:replicas:x", Counting::kPeek, {})});
    ASSERT_TRUE(run_until(loop, [&] { return third->replicas() > 1; }));
    const auto fourth = make("counted2", 1);
    ask(*fourth, {one("limit:replicas:x", Counting::kPeek, {})});
    ASSERT_TRUE(run_until(loop, [&] { return fourth->replicas() > 1; }));
    EXPECT_EQ(fourth->replicas(), third->replicas());
}

}  // namespace
}  // namespace gatepost::backends::testing

#include "proxy/policy/memory_limit_store.h"

#include <algorithm>
#include <malloc.h>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/proxy/policy/late_executor.h"

namespace gatepost::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Rate kTwoInAMinute{.count = 2, .per = minutes{1}, .burst = 2};
constexpr TimePoint kNow{seconds{1000}};

LimitQuestion question(std::string key, Counting counting, std::uint64_t events = 1) {
    return {{std::move(key)}, kTwoInAMinute, counting, events};
}

LimitAnswers answers_of(LimitStore& store, std::vector<LimitQuestion> batch, TimePoint now = kNow) {
    test::LateExecutor home;
    LimitAnswers got;
    int times = 0;
    store.ask(std::move(batch), now, home, [&](LimitAnswers answers) {
        got = std::move(answers);
        ++times;
    });
    EXPECT_EQ(times, 0) << "answered inside the call";
    EXPECT_EQ(home.waiting(), 1U);
    home.run();
    EXPECT_EQ(times, 1);
    return got;
}

LimitAnswer answer_of(LimitStore& store, const LimitQuestion& one, TimePoint now = kNow) {
    return answers_of(store, {one}, now).at(0);
}

TEST(MemoryLimitStore, AnswersABatchInItsOrder) {
    MemoryLimitStore store;
    EXPECT_EQ(answers_of(store, {}), LimitAnswers{});
    (void)answer_of(store, question("full", Counting::kCharge, 2));
    const LimitAnswers want{Allow{0}, Allow{1}, Refused{seconds{30}, 2}, Allow{1}};
    EXPECT_EQ(answers_of(store, {question("a", Counting::kPeek), question("b", Counting::kCharge),
                                 question("full", Counting::kPeek), question("c", Counting::kRecord)}),
              want);
}

TEST(MemoryLimitStore, PeekingRemembersNothing) {
    MemoryLimitStore store;
    (void)answer_of(store, question("a", Counting::kPeek));
    EXPECT_EQ(store.size(), 0U);
    EXPECT_EQ(answer_of(store, question("a", Counting::kCharge, 3)),
              LimitAnswer(Refused{Duration::max(), 0}));
}

TEST(MemoryLimitStore, WhatWasCountedWearsOff) {
    MemoryLimitStore store;
    (void)answer_of(store, question("a", Counting::kCharge, 2));
    EXPECT_EQ(answer_of(store, question("a", Counting::kPeek), kNow + seconds{10}),
              LimitAnswer(Refused{seconds{20}, 2}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kPeek), kNow + seconds{30}), LimitAnswer(Allow{1}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kPeek), kNow + seconds{60}), LimitAnswer(Allow{0}));
}

TEST(MemoryLimitStore, ForgetsFirstWhatWasLongestNotAskedFor) {
    MemoryLimitStore store(MemoryLimitStore::kStripes * 8);
    (void)answer_of(store, question("refused", Counting::kCharge, 2));
    (void)answer_of(store, question("old", Counting::kCharge, 2));
    for (int other = 0; other < 20'000; ++other) {
        (void)answer_of(store, question("other " + std::to_string(other), Counting::kCharge));
        ASSERT_TRUE(std::holds_alternative<Refused>(answer_of(store, question("refused", Counting::kPeek))));
        ASSERT_LE(store.size(), MemoryLimitStore::kStripes * 8);
    }
    EXPECT_EQ(answer_of(store, question("old", Counting::kPeek)), LimitAnswer(Allow{0}));
}

TEST(MemoryLimitStore, WornOffKeysMakeRoomAfterAFlood) {
    MemoryLimitStore store;
    for (int key = 0; key < 10'000; ++key) {
        (void)answer_of(store, question("flood " + std::to_string(key), Counting::kCharge));
    }
    EXPECT_EQ(store.size(), 10'000U);
    for (int key = 0; key < 12'000; ++key) {
        const TimePoint later = kNow + minutes{2} * (key + 1);
        (void)answer_of(store, question("trickle " + std::to_string(key), Counting::kCharge), later);
    }
    EXPECT_LE(store.size(), MemoryLimitStore::kStripes * 2);
}

// The allocators of the sanitizers do not say what is in use.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(MemoryLimitStore, AKeyTakesNoMoreThan300Octets) {
    constexpr std::size_t kKeys = 100'000;
    MemoryLimitStore store;
    test::LateExecutor home;
    const auto in_use = [] { return mallinfo2().uordblks; };
    const std::size_t before = in_use();
    ASSERT_NE(before, 0U);
    for (std::size_t key = 0; key < kKeys; ++key) {
        // As long as the longest that guessing makes of an IPv4 network and a name that is not hashed.
        const std::string number = std::to_string(100'000 + key);
        std::vector<LimitQuestion> one;
        one.push_back(
            question("guess:user-net:192.168.200.0/24=" + std::string(58, 'n') + number, Counting::kRecord));
        store.ask(std::move(one), kNow, home, [](const LimitAnswers&) {});
        home.run();
    }
    EXPECT_EQ(store.size(), kKeys);
    const std::size_t each = (in_use() - before) / kKeys;
    EXPECT_LE(each, 300U);
    RecordProperty("octets_a_key", static_cast<int>(each));
}
#endif

/// As many plain states as there are keys: what striping and sweeping must not change. Time goes forward
/// only: of a clock that jumps back behind a sweep the store remembers less than the plain states.
TEST(MemoryLimitStoreProperty, CountsLikeOneStateAKey) {
    std::mt19937_64 random(7);
    MemoryLimitStore store;
    std::map<std::string, GcraState> model;
    TimePoint now = kNow;
    for (int step = 0; step < 20'000; ++step) {
        now += milliseconds(random() % 400);
        const std::string key = "key " + std::to_string(random() % 100);
        const auto counting = static_cast<Counting>(random() % 3);
        const Rate rate{.count = 3, .per = seconds{7}, .burst = 4, .debt = 2};
        const std::uint64_t events = random() % 3;
        const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
        GcraState& state = model[key];
        const GcraAnswer want = counting == Counting::kPeek     ? gcra_peek(state, rate, events, at)
                                : counting == Counting::kCharge ? gcra_charge(state, rate, events, at)
                                                                : gcra_record(state, rate, events, at);
        const LimitAnswer got = answer_of(store, {{key}, rate, counting, events}, now);
        ASSERT_EQ(got, want.allowed ? LimitAnswer(Allow{want.used})
                                    : LimitAnswer(Refused{want.retry_after, want.used}))
            << "step " << step;
    }
}

TEST(MemoryLimitStore, ManyThreadsNeverGetMoreThanTheBurst) {
    static constexpr Rate kRate{.count = 1, .per = minutes{60}, .burst = 500};
    constexpr int kThreads = 4;
    MemoryLimitStore store(1000);
    std::array<int, kThreads> allowed{};
    {
        std::vector<std::jthread> threads;
        for (int& mine : allowed) {
            threads.emplace_back([&store, &mine] {
                test::LateExecutor home;
                for (int each = 0; each < 2000; ++each) {
                    std::vector<LimitQuestion> batch;
                    batch.push_back({{"shared"}, kRate, Counting::kCharge});
                    batch.push_back({{"own " + std::to_string(each)}, kRate, Counting::kRecord});
                    store.ask(std::move(batch), kNow, home, [&mine](const LimitAnswers& answers) {
                        mine += std::holds_alternative<Allow>(answers.at(0)) ? 1 : 0;
                    });
                    home.run();
                }
            });
        }
    }
    EXPECT_EQ(allowed[0] + allowed[1] + allowed[2] + allowed[3], 500);
}

}  // namespace
}  // namespace gatepost::policy

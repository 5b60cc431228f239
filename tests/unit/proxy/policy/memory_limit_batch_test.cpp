// What MemoryLimitStore counts of a batch, of who is there now and of what is given back, and what it shows
// an operator; and all of it against the exact model.
#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/policy/memory_limit_store.h"
#include "tests/fakes/limit_schedule.h"
#include "tests/unit/proxy/policy/late_executor.h"

namespace gatepost::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::UnorderedElementsAre;

constexpr Rate kTwoInAMinute{.count = 2, .per = minutes{1}, .burst = 2};
constexpr TimePoint kNow{seconds{1000}};
constexpr auto kStripes = static_cast<int>(MemoryLimitStore::kStripes);

LimitQuestion question(std::string key, Counting counting, std::uint64_t events = 1) {
    return {{std::move(key)}, kTwoInAMinute, counting, events};
}

LimitQuestion dry(LimitQuestion question) {
    question.is_binding = false;
    return question;
}

LimitQuestion returned(std::string key, std::uint64_t events, TimePoint counted_at) {
    LimitQuestion back = question(std::move(key), Counting::kReturn, events);
    back.counted_at = counted_at;
    return back;
}

LimitAnswers answers_of(LimitStore& store, std::vector<LimitQuestion> batch, TimePoint now = kNow) {
    test::LateExecutor home;
    LimitAnswers got;
    store.ask(std::move(batch), now, home, [&](LimitAnswers answers) { got = std::move(answers); });
    home.run();
    return got;
}

LimitAnswer answer_of(LimitStore& store, const LimitQuestion& one, TimePoint now = kNow) {
    return answers_of(store, {one}, now).at(0);
}

std::uint64_t used_of(LimitStore& store, const std::string& key, TimePoint now = kNow) {
    return std::get<Allow>(answer_of(store, question(key, Counting::kPeek, 0), now)).used;
}

std::vector<LimitEntry> entries_of(MemoryLimitStore& store, const std::string& prefix, std::size_t most = 100,
                                   TimePoint now = kNow) {
    test::LateExecutor home;
    std::vector<LimitEntry> got;
    store.list(prefix, most, now, home, [&](LimitInventory::Entries entries) { got = entries.value(); });
    EXPECT_TRUE(got.empty()) << "answered inside the call";
    home.run();
    return got;
}

bool forgets(MemoryLimitStore& store, const std::string& key) {
    test::LateExecutor home;
    std::optional<bool> got;
    store.forget({key}, home, [&](const Result<bool>& was_there) { got = was_there.value(); });
    EXPECT_FALSE(got) << "answered inside the call";
    home.run();
    return got.value();
}

TEST(MemoryLimitBatch, WhenABindingOneDoesNotFit_CountsNoChargeAndNoEntry) {
    MemoryLimitStore store;
    (void)answer_of(store, question("full", Counting::kCharge, 2));
    (void)answer_of(store, question("old", Counting::kCharge));
    const LimitAnswers want{Allow{0}, Allow{1}, Refused{seconds{30}, 2}, Allow{0}, Allow{1}};
    EXPECT_EQ(answers_of(store, {question("new", Counting::kCharge), question("old", Counting::kCharge),
                                 question("full", Counting::kCharge), question("there", Counting::kEnter),
                                 question("failure", Counting::kRecord)}),
              want);
    EXPECT_EQ(used_of(store, "new"), 0U);
    EXPECT_EQ(used_of(store, "old"), 1U);
    EXPECT_EQ(used_of(store, "failure"), 1U) << "has happened all the same";
    EXPECT_EQ(store.size(), 3U) << "what was not counted is remembered";
}

TEST(MemoryLimitBatch, WhenNobodyMayEnter_ChargesNothing) {
    MemoryLimitStore store;
    (void)answer_of(store, question("there", Counting::kEnter, 2));
    const LimitAnswers want{Allow{0}, Refused{seconds{1}, 2}};
    EXPECT_EQ(answers_of(store, {question("a", Counting::kCharge), question("there", Counting::kEnter)}),
              want);
    EXPECT_EQ(used_of(store, "a"), 0U);
}

TEST(MemoryLimitBatch, WhenADryOneDoesNotFit_CountsTheRest) {
    MemoryLimitStore store;
    (void)answer_of(store, question("full", Counting::kCharge, 2));
    const LimitAnswers want{Refused{seconds{30}, 2}, Allow{1}, Allow{1}, Refused{Duration::max(), 0}};
    EXPECT_EQ(answers_of(store, {dry(question("full", Counting::kCharge)), question("a", Counting::kCharge),
                                 dry(question("dry", Counting::kCharge)),
                                 dry(question("there", Counting::kEnter, 3))}),
              want);
    EXPECT_EQ(used_of(store, "full"), 2U);
    EXPECT_EQ(used_of(store, "a"), 1U);
    EXPECT_EQ(used_of(store, "dry"), 1U);
}

TEST(MemoryLimitBatch, WhenTheStripesAreTooSmallForIt_StillCountsEachOnItsOwn) {
    std::mt19937_64 random(3);
    MemoryLimitStore store(1);
    for (int round = 0; round < 200; ++round) {
        std::vector<LimitQuestion> batch;
        for (int key = 0; key < 40; ++key) {
            batch.push_back(question(std::to_string(random() % 100 * 100 + key), Counting::kCharge));
        }
        const TimePoint now = kNow + minutes{round};
        for (const LimitAnswer& answer : answers_of(store, std::move(batch), now)) {
            ASSERT_TRUE(std::holds_alternative<Allow>(answer));
            ASSERT_EQ(std::get<Allow>(answer).used, 1U);
        }
        ASSERT_LE(store.size(), MemoryLimitStore::kStripes);
    }
}

TEST(MemoryLimitBatch, WhenAKeyIsInItTwice_NeverAllowsMoreThanTheBurst) {
    MemoryLimitStore store;
    for (const auto* key : {"a", "a", "b"}) {
        int allowed = 0;
        for (const LimitAnswer& answer :
             answers_of(store, std::vector(3, question(key, Counting::kCharge)))) {
            allowed += std::holds_alternative<Allow>(answer) ? 1 : 0;
        }
        EXPECT_LE(allowed, 2);
        EXPECT_LE(used_of(store, key), 2U);
    }
}

TEST(MemoryLimitReturn, GivesBackWhatCannotHaveWornOff) {
    MemoryLimitStore store;
    (void)answer_of(store, question("a", Counting::kCharge, 2));
    EXPECT_EQ(answer_of(store, returned("a", 1, kNow)), LimitAnswer(Allow{1}));
    EXPECT_EQ(answer_of(store, returned("a", 1, kNow), kNow + seconds{15}), LimitAnswer(Allow{0}));
    EXPECT_EQ(answer_of(store, returned("a", 1, kNow), kNow + seconds{15}), LimitAnswer(Allow{0}))
        << "below 0";
    EXPECT_EQ(answer_of(store, question("a", Counting::kCharge, 2), kNow + seconds{15}),
              LimitAnswer(Allow{2}));
    EXPECT_EQ(answer_of(store, returned("unknown", 1, kNow)), LimitAnswer(Allow{0}));
    EXPECT_EQ(store.size(), 1U);
}

TEST(MemoryLimitSessions, AreNeverMoreThanTheBurst) {
    MemoryLimitStore store;
    const TimePoint later = kNow + minutes{60 * 24 * 365};
    EXPECT_EQ(answer_of(store, question("a", Counting::kEnter)), LimitAnswer(Allow{1}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kEnter)), LimitAnswer(Allow{2}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kEnter), later), LimitAnswer(Refused{seconds{1}, 2}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kLeave), later), LimitAnswer(Allow{1}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kEnter), later), LimitAnswer(Allow{2}));
    EXPECT_EQ(answer_of(store, question("a", Counting::kLeave, 9), later), LimitAnswer(Allow{0}));
    EXPECT_EQ(answer_of(store, question("unknown", Counting::kLeave)), LimitAnswer(Allow{0}));
    EXPECT_EQ(store.size(), 1U);
}

TEST(MemoryLimitSessions, WhenOthersComeAndWearOff_AreNeitherSweptNorForgotten) {
    MemoryLimitStore store(MemoryLimitStore::kStripes * 16);
    for (int key = 0; key < 2 * kStripes; ++key) {
        (void)answer_of(store, question("there " + std::to_string(key), Counting::kEnter));
    }
    for (int key = 0; key < 20'000; ++key) {
        const TimePoint now = kNow + minutes{key / 100};
        (void)answer_of(store, question("other " + std::to_string(key), Counting::kCharge), now);
    }
    EXPECT_LE(store.size(), MemoryLimitStore::kStripes * 16);
    for (int key = 0; key < 2 * kStripes; ++key) {
        EXPECT_EQ(answer_of(store, question("there " + std::to_string(key), Counting::kLeave, 0)),
                  LimitAnswer(Allow{1}))
            << key;
    }
}

TEST(MemoryLimitSessions, WhenNothingElseIsLeft_AreForgottenToo) {
    MemoryLimitStore store(MemoryLimitStore::kStripes);
    for (int key = 0; key < 2000; ++key) {
        EXPECT_EQ(answer_of(store, question("there " + std::to_string(key), Counting::kEnter)),
                  LimitAnswer(Allow{1}));
    }
    EXPECT_LE(store.size(), MemoryLimitStore::kStripes);
}

TEST(MemoryLimitInventory, ListsByPrefixWhatHasNotWornOff) {
    MemoryLimitStore store;
    (void)answer_of(store, question("limit:a:1", Counting::kCharge));
    (void)answer_of(store, question("limit:a:2", Counting::kCharge, 2));
    (void)answer_of(store, question("limit:b:1", Counting::kEnter));
    EXPECT_THAT(entries_of(store, "limit:a:"), UnorderedElementsAre(LimitEntry{"limit:a:1", seconds{30}},
                                                                    LimitEntry{"limit:a:2", seconds{60}}));
    EXPECT_THAT(
        entries_of(store, "", 100, kNow + seconds{30}),
        UnorderedElementsAre(LimitEntry{"limit:a:2", seconds{30}}, LimitEntry{"limit:b:1", Duration{0}, 1}));
    EXPECT_THAT(entries_of(store, "guess:"), UnorderedElementsAre());
}

TEST(MemoryLimitInventory, ListsAllOfManyAndNoMoreThanAsked) {
    MemoryLimitStore store;
    constexpr std::size_t kMany = 50'000;
    for (std::size_t key = 0; key < kMany; ++key) {
        (void)answer_of(store, question(std::to_string(key), Counting::kCharge));
    }
    std::vector<LimitEntry> all = entries_of(store, "", 2 * kMany);
    ASSERT_EQ(all.size(), kMany);
    std::ranges::sort(all, {}, &LimitEntry::key);
    EXPECT_EQ(std::ranges::adjacent_find(all, {}, &LimitEntry::key), all.end()) << "twice";
    EXPECT_EQ(entries_of(store, "", 7).size(), 7U);
    EXPECT_EQ(entries_of(store, "", 0).size(), 0U);
}

TEST(MemoryLimitInventory, ForgetsOneKeyAsIfNothingHadBeenCounted) {
    MemoryLimitStore store;
    (void)answer_of(store, question("a", Counting::kCharge, 2));
    (void)answer_of(store, question("there", Counting::kEnter, 2));
    EXPECT_TRUE(forgets(store, "a"));
    EXPECT_FALSE(forgets(store, "a"));
    EXPECT_TRUE(forgets(store, "there"));
    EXPECT_EQ(store.size(), 0U);
    EXPECT_EQ(answer_of(store, question("a", Counting::kCharge)), LimitAnswer(Allow{1}));
    EXPECT_EQ(answer_of(store, question("there", Counting::kEnter)), LimitAnswer(Allow{1}));
}

void run_schedules(bool jumps_back) {
    int refused = 0;
    int counted = 0;
    for (std::uint64_t seed = 0; seed < 120 && !::testing::Test::HasFatalFailure(); ++seed) {
        MemoryLimitStore store;
        test::LateExecutor home;
        const auto run_until = [&](const std::function<bool()>& done) {
            home.run();
            return done();
        };
        test::LimitSchedule schedule({&store, &home, run_until, nullptr},
                                     {.seed = seed, .jumps_back = jumps_back});
        schedule.run();
        refused += schedule.refused_batches();
        counted += schedule.counted_batches();
    }
    EXPECT_GT(refused, (refused + counted) / 10) << "too few refusals to say anything";
    EXPECT_LT(refused, (refused + counted) / 10 * 9) << "too many";
}

TEST(MemoryLimitStoreProperty, WhenTimeGoesForward_AnswersExactlyAsTheModel) {
    run_schedules(false);
}

TEST(MemoryLimitStoreProperty, WhenTheClockJumpsBack_AnswersWithinTheModel) {
    run_schedules(true);
}

/// Keys are charged and given back all together only: whoever looks at two sees as much of both.
TEST(MemoryLimitBatch, WhenManyThreadsAsk_NobodySeesHalfOfIt) {
    static constexpr Rate kRate{.count = 1, .per = minutes{60}, .burst = 3};
    MemoryLimitStore store(1000);
    std::atomic<int> halves = 0;
    std::atomic<int> seen = 0;
    std::atomic<bool> is_over = false;
    const auto all = [](Counting counting) {
        std::vector<LimitQuestion> batch;
        for (const auto* key : {"one", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}) {
            batch.push_back({.key = {key}, .rate = kRate, .counting = counting, .counted_at = kNow});
        }
        return batch;
    };
    const auto used = [](const LimitAnswer& answer) {
        const auto* refused = std::get_if<Refused>(&answer);
        return refused == nullptr ? std::get<Allow>(answer).used : refused->used;
    };
    const auto ask = [&](test::LateExecutor& home, std::vector<LimitQuestion> batch) {
        bool is_allowed = false;
        store.ask(std::move(batch), kNow, home, [&](const LimitAnswers& answers) {
            is_allowed = std::holds_alternative<Allow>(answers[0]);
            const bool is_whole = std::ranges::all_of(
                answers, [&](const LimitAnswer& answer) { return used(answer) == used(answers[0]); });
            halves += is_whole ? 0 : 1;
            seen += used(answers[0]) > 0 ? 1 : 0;
        });
        home.run();
        return is_allowed;
    };
    std::vector<std::jthread> threads;
    for (int each = 0; each < 3; ++each) {
        threads.emplace_back([&, each] {
            test::LateExecutor home;
            for (int round = 0; round < 3000; ++round) {
                std::vector<LimitQuestion> charge = all(Counting::kCharge);
                std::ranges::rotate(charge, charge.begin() + each);
                if (ask(home, std::move(charge))) ask(home, all(Counting::kReturn));
            }
        });
    }
    std::jthread watcher([&] {
        test::LateExecutor home;
        for (int round = 0; !is_over; ++round) {
            // Two of them only, or the first stripe alone would keep the batches apart.
            std::vector<LimitQuestion> peek = all(Counting::kPeek);
            std::ranges::rotate(peek, peek.begin() + round % 12);
            peek.erase(peek.begin() + 1, peek.end() - 1);
            ask(home, std::move(peek));
        }
    });
    threads.clear();
    is_over = true;
    watcher.join();
    EXPECT_EQ(halves, 0);
    EXPECT_GT(seen, 0);
    EXPECT_EQ(used_of(store, "one"), 0U) << "more was given back, or less, than was charged";
}

TEST(MemoryLimitSessions, WhenManyThreadsEnter_AreNeverMoreThanTheBurstAtATime) {
    static constexpr Rate kThree{.burst = 3};
    MemoryLimitStore store(1000);
    std::atomic<int> there = 0;
    std::atomic<int> most = 0;
    {
        std::vector<std::jthread> threads;
        for (int each = 0; each < 5; ++each) {
            threads.emplace_back([&] {
                test::LateExecutor home;
                const auto ask = [&](Counting counting) {
                    bool is_allowed = false;
                    store.ask({{{"shared"}, kThree, counting}}, kNow, home, [&](const LimitAnswers& answers) {
                        is_allowed = std::holds_alternative<Allow>(answers.at(0));
                    });
                    home.run();
                    return is_allowed;
                };
                for (int round = 0; round < 5000; ++round) {
                    if (!ask(Counting::kEnter)) continue;
                    const int now = ++there;
                    for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
                    }
                    std::this_thread::yield();
                    --there;
                    ask(Counting::kLeave);
                }
            });
        }
    }
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 2) << "they never met";
    EXPECT_EQ(answer_of(store, question("shared", Counting::kLeave, 0)), LimitAnswer(Allow{0}));
}

}  // namespace
}  // namespace gatepost::policy

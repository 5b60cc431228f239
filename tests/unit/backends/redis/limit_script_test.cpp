// How questions travel to the script and its answers back; what the script does with them is tested against a
// real Redis (tests/e2e/test_redis_limits.py).
#include "backends/redis/limit_script.h"

#include <gtest/gtest.h>

#include "backends/redis/held_sessions.h"
#include "backends/redis/limit_share.h"

namespace gatepost::backends::testing {
namespace {

using namespace std::chrono_literals;
using policy::Allow;
using policy::Counting;
using policy::LimitQuestion;
using policy::Rate;
using policy::Refused;
using Words = std::vector<std::string>;

constexpr TimePoint kNow{1000h};

LimitQuestion question(Counting counting, Rate rate = {.count = 6, .per = 9us, .burst = 10, .debt = 2}) {
    return {.key = {"limit:a:b"}, .rate = rate, .counting = counting};
}

RedisReply integer(long long number) {
    RedisReply reply;
    reply.kind = RedisReply::Kind::kInteger;
    reply.integer = number;
    return reply;
}

template <typename... Items>
RedisReply array_of(Items... items) {
    RedisReply reply;
    reply.kind = RedisReply::Kind::kArray;
    (reply.items.push_back(std::move(items)), ...);
    return reply;
}

Words words_of(std::vector<LimitQuestion> batch) {
    return limit_words(batch, {.field = "r/0", .clock = "", .now = kNow});
}

/// The only answer to one question.
policy::LimitAnswer answer_to(LimitQuestion asked, long long result, long long level) {
    const std::vector batch{std::move(asked)};
    const auto read = limit_answers(batch, array_of(integer(result), integer(level), integer(level)));
    return read ? read->answers.at(0) : policy::LimitAnswer(policy::Unavailable{});
}

TEST(LimitScript, ARate_BecomesTheSmallestWholeGrains) {
    EXPECT_EQ(words_of({question(Counting::kCharge)}),
              (Words{"1", "gatepost:limit:a:b", "", "r/0", "C", "3", "3", "2", "30", "36"}));
}

TEST(LimitScript, AQuestionThatDoesNotBind_IsSaidSo) {
    LimitQuestion asked = question(Counting::kCharge);
    asked.is_binding = false;
    EXPECT_EQ(words_of({asked}).at(4), "c");
}

TEST(LimitScript, APeriodThatIsNoWholeNumberOfMicroseconds_IsTakenAsTheLonger) {
    EXPECT_EQ(words_of({question(Counting::kPeek, {.count = 1, .per = 1001ns, .burst = 1})}),
              (Words{"1", "gatepost:limit:a:b", "", "r/0", "p", "2", "2", "1", "2", "2"}));
}

TEST(LimitScript, WhatIsGivenBack_IsLessWhatMayHaveWornOff) {
    LimitQuestion back = question(Counting::kReturn);
    back.events = 4;
    back.counted_at = kNow - 5us - 1ns;  // six microseconds at most, and two grains each
    EXPECT_EQ(words_of({back}).at(5), "0");
    back.counted_at = kNow - 2us;
    EXPECT_EQ(words_of({back}).at(5), "8");
    back.counted_at = kNow + 1h;  // nonsense, and not more than was charged
    EXPECT_EQ(words_of({back}).at(5), "12");
}

TEST(LimitScript, Sessions_HaveAnotherKeyAndBringTheReplicas) {
    EXPECT_EQ(words_of({question(Counting::kPeek), question(Counting::kEnter)}),
              (Words{"3", "gatepost:limit:a:b", "gatepost:sessions:limit:a:b", "gatepost:replicas", "", "r/0",
                     "p", "3", "3", "2", "30", "36", "E", "1", "1", "1", "10", "10"}));
}

TEST(LimitScript, NumbersBeyond64Bits_AreStillWholeNumbers) {
    const Rate vast{.count = 1, .per = 24h * 365, .burst = Rate::kMost, .debt = Rate::kMost};
    const Words words = words_of({question(Counting::kCharge, vast)});
    for (const std::size_t place : {8U, 9U}) {
        EXPECT_EQ(words.at(place).find_first_not_of("0123456789"), std::string::npos) << words.at(place);
        EXPECT_GT(words.at(place).size(), 30U);
    }
}

TEST(LimitScript, ALevel_BecomesEventsRoundedUp) {
    EXPECT_EQ(answer_to(question(Counting::kCharge), 1, 7), policy::LimitAnswer(Allow{.used = 3}));
    EXPECT_EQ(answer_to(question(Counting::kCharge), 2, 6), policy::LimitAnswer(Allow{.used = 2}));
}

TEST(LimitScript, ARefusal_SaysWhenThereIsRoomRoundedUp) {
    EXPECT_EQ(answer_to(question(Counting::kCharge), 0, 30), policy::LimitAnswer(Refused{2us, 10}));
    LimitQuestion large = question(Counting::kCharge);
    large.events = 11;
    EXPECT_EQ(answer_to(large, 0, 0), policy::LimitAnswer(Refused{Duration::max(), 0}));
}

TEST(LimitScript, WhatIsRecordedBeyondTheBurst_IsTheWaitBeforeIt) {
    const std::vector batch{question(Counting::kRecord)};
    const auto read = limit_answers(batch, array_of(integer(0), integer(30), integer(33)));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->answers.at(0), policy::LimitAnswer(Refused{2us, 11}));
}

TEST(LimitScript, ARefusedSession_MayTryAgainUnlessItNeverFits) {
    EXPECT_EQ(answer_to(question(Counting::kEnter), 0, 10), policy::LimitAnswer(Refused{1s, 10}));
    LimitQuestion none = question(Counting::kEnter);
    none.rate.burst = 0;
    EXPECT_EQ(answer_to(none, 0, 0), policy::LimitAnswer(Refused{Duration::max(), 0}));
}

TEST(LimitScript, AnAnswerOfAnotherShape_IsNone) {
    const std::vector batch{question(Counting::kPeek)};
    EXPECT_FALSE(limit_answers(batch, integer(1)));
    EXPECT_FALSE(limit_answers(batch, array_of(integer(1))));
    EXPECT_FALSE(limit_answers(batch, array_of(integer(1), integer(0), integer(-1))));
    EXPECT_FALSE(limit_answers(batch, array_of(integer(1), integer(0), array_of())));
    EXPECT_FALSE(limit_answers(
        batch, array_of(integer(1), integer(1), integer(1), integer(1), integer(1), integer(1))));
}

TEST(LimitShare, ARate_IsDividedByTheReplicas) {
    const Rate whole{.count = 100, .per = 1h, .burst = 100, .debt = 10};
    EXPECT_EQ(share_of(question(Counting::kRecord, whole), 4).rate,
              (Rate{.count = 100, .per = 4h, .burst = 25, .debt = 2}));
    EXPECT_EQ(share_of(question(Counting::kEnter, {.count = 1, .per = 1s, .burst = 3}), 5).rate.burst, 1U);
    EXPECT_EQ(share_of(question(Counting::kCharge, whole), 1).rate, whole);
}

TEST(LimitShare, WhatFitsTheWhole_FitsTheEmptyShareAndIsRememberedWhole) {
    LimitQuestion large = question(Counting::kCharge, {.count = 100, .per = 1h, .burst = 100});
    large.events = 60;
    EXPECT_EQ(share_of(large, 4).rate, (Rate{.count = 100, .per = 4h, .burst = 60, .debt = 40}));
    large.events = 1;
    EXPECT_EQ(share_of(large, 4).rate, (Rate{.count = 100, .per = 4h, .burst = 25, .debt = 75}));
    large.events = 101;
    EXPECT_EQ(share_of(large, 4).rate.burst, 25U);
}

TEST(HeldSessions, WhenNothingIsInDoubt_NothingIsToldAgain) {
    HeldSessions held;
    held.asked(question(Counting::kEnter));
    held.answered(question(Counting::kEnter), true);
    EXPECT_TRUE(held.take_doubtful(10).empty());
    held.asked(question(Counting::kLeave));
    held.answered(question(Counting::kLeave), true);
    EXPECT_EQ(held.size(), 0U);
}

TEST(HeldSessions, WhenAnAnswerIsLost_TheCountWithoutItIsToldOnceNothingIsOnItsWay) {
    HeldSessions held;
    held.asked(question(Counting::kEnter));
    held.answered(question(Counting::kEnter), true);
    held.asked(question(Counting::kEnter));
    held.lost(question(Counting::kEnter));
    held.asked(question(Counting::kEnter));
    EXPECT_TRUE(held.take_doubtful(10).empty());
    held.answered(question(Counting::kEnter), true);
    const auto told = held.take_doubtful(10);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].key, "limit:a:b");
    EXPECT_EQ(told[0].count, 2U);
    EXPECT_TRUE(held.take_doubtful(10).empty());
}

TEST(HeldSessions, WhoLeavesUnheard_IsToldAsGone) {
    HeldSessions held;
    held.asked(question(Counting::kEnter));
    held.answered(question(Counting::kEnter), true);
    held.left_unheard(question(Counting::kLeave));
    const auto told = held.take_doubtful(10);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].count, 0U);
    EXPECT_EQ(held.size(), 0U);
}

}  // namespace
}  // namespace gatepost::backends::testing

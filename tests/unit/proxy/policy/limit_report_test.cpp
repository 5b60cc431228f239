#include "proxy/policy/limit_report.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

using namespace std::chrono_literals;

LimitRule rule(const std::string& name, Counted counted = Counted::kMessages, Rate rate = {10, 10s, 10}) {
    LimitRule made;
    made.name = name;
    made.counted = counted;
    made.rate = rate;
    return made;
}

const Guessing kGuessing(GuessingSettings{.per_ip = GuessingSettings::Failures{20, 10min},
                                          .per_network = std::nullopt,
                                          .per_user_and_network = std::nullopt,
                                          .per_user_delay = 5s});

TEST(LimitReport, OwnerOfAKey_IsTheRuleOfItsName) {
    LimitRule classed = rule("a-b");
    classed.classes.emplace("bulk", Rate{99, 1h, 98});
    const Limits limits({rule("a"), classed});
    EXPECT_EQ(owner_of("limit:a-b:x:y", limits, kGuessing)->rule, "a-b");
    EXPECT_EQ(owner_of("limit:a-b:x", limits, kGuessing, "bulk")->rate.burst, 98U);
    EXPECT_EQ(owner_of("limit:a-b:x", limits, kGuessing, "other")->rate.burst, 10U);
    EXPECT_FALSE(owner_of("limit:c:x", limits, kGuessing));
    EXPECT_FALSE(owner_of("a", limits, kGuessing));
    EXPECT_EQ(owner_of("guess:ip:192.0.2.1", limits, kGuessing)->rule, "auth.guessing.per_ip");
    EXPECT_EQ(owner_of("guess:user:=ann", limits, kGuessing)->action, "delay");
    EXPECT_FALSE(owner_of("guess:net:192.0.2.0/24", limits, kGuessing)) << "that rule is off";
}

TEST(LimitReport, OwnerOfEachGuessKey_IsTheRuleThatAsksForIt) {
    const Guessing all(GuessingSettings{.per_ip = GuessingSettings::Failures{1, 1min},
                                        .per_network = GuessingSettings::Failures{2, 1min},
                                        .per_user_and_network = GuessingSettings::Failures{3, 1min},
                                        .per_user_delay = 5s});
    const auto peer = PeerAddress::from_octets(ByteView("\xc0\x00\x02\x01", 4));
    const auto questions = all.questions_before(peer, "ann");
    ASSERT_EQ(questions.size(), 4U);
    for (const LimitQuestion& question : questions)
        EXPECT_EQ(all.owner_of(question.key.text)->rate, question.rate) << question.key.text;
}

TEST(LimitReport, State_IsWhatTheRateMakesOfTheTimeLeft) {
    const KeyOwner owner{.rule = "a", .counted = "messages", .action = "defer", .rate = {10, 10s, 10}};
    EXPECT_EQ(state_of(owner, {"k", 3s, 0}), (KeyState{3, std::nullopt, 3s}));
    EXPECT_EQ(state_of(owner, {"k", 9500ms, 0}), (KeyState{10, 500ms, 9500ms}));
    EXPECT_EQ(state_of(owner, {"k", 0s, 0}), (KeyState{0, std::nullopt, 0s}));
}

TEST(LimitReport, StateOfSessions_IsHowManyThereAre) {
    const KeyOwner owner{
        .rule = "a", .counted = "sessions", .action = "defer", .rate = {2, 1s, 2}, .is_at_a_time = true};
    EXPECT_EQ(state_of(owner, {"k", 0s, 1}), (KeyState{1, std::nullopt, 0s}));
    EXPECT_EQ(state_of(owner, {"k", 0s, 2}), (KeyState{2, Duration::zero(), 0s}));
}

TEST(LimitReport, Texts_AreShort) {
    KeyOwner owner{.rule = "a", .counted = "messages", .action = "defer", .rate = {500, 1h, 50}};
    EXPECT_EQ(rate_text(owner), "500/1h");
    owner.rate.per = 90min;
    EXPECT_EQ(rate_text(owner), "500/90m");
    owner.rate.per = 250ms;
    EXPECT_EQ(rate_text(owner), "500/250ms");
    owner.is_at_a_time = true;
    EXPECT_EQ(rate_text(owner), "50 at a time");
    EXPECT_EQ(duration_text(1ms), "1 s");
    EXPECT_EQ(duration_text(119s), "119 s");
    EXPECT_EQ(duration_text(121s), "3 min");
    EXPECT_EQ(duration_text(7201s), "3 h");
    EXPECT_EQ(duration_text(48h), "2 d");
}

/// Every combination of a few conditions and clients: the two must never disagree.
TEST(LimitReport, WhyNot_IsSaidExactlyWhenTheRuleDoesNotLook) {
    std::size_t looked = 0;
    std::size_t passed_over = 0;
    for (unsigned bits = 0; bits < 1U << 14; ++bits) {
        const auto bit = [&](unsigned at) { return (bits >> at & 1U) != 0; };
        LimitRule tried = rule("r");
        if (bit(0)) tried.when.listener = "in";
        if (bit(1)) tried.when.user = "*@example.org";
        if (bit(2)) tried.when.user_class = "bulk";
        if (bit(3)) tried.when.authenticated = bit(4);
        if (bit(5)) tried.when.trusted = bit(6);
        const LimitScope scopes[] = {LimitScope::kUser, LimitScope::kSenderDomain, LimitScope::kIp,
                                     LimitScope::kAll};
        tried.scope = scopes[bits >> 7 & 3U];
        const LimitSubject subject{.peer = {},
                                   .listener = bit(9) ? "in" : "out",
                                   .user = bit(10) ? "ann@example.org" : "",
                                   .user_class = bit(11) ? "bulk" : "",
                                   .is_authenticated = bit(10),
                                   .is_trusted = bit(12),
                                   .sender = bit(13) ? "a@b.example" : ""};
        const bool looks = Limits::value_for(tried, subject).has_value();
        EXPECT_EQ(why_not(tried, subject).empty(), looks) << bits << why_not(tried, subject);
        ++(looks ? looked : passed_over);
    }
    EXPECT_GT(looked, 100U);
    EXPECT_GT(passed_over, 100U);
}

}  // namespace
}  // namespace gatepost::policy

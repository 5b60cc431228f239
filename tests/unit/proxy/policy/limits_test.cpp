#include "proxy/policy/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/policy/limit_reply.h"

namespace gatepost::policy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

LimitRule rule(std::string name, Counted counted, LimitScope scope,
               LimitAction action = LimitAction::kDefer) {
    LimitRule made;
    made.name = std::move(name);
    made.counted = counted;
    made.scope = scope;
    made.rate = {.count = 3, .per = hours(1), .burst = 3, .debt = 0};
    made.action = action;
    return made;
}

LimitSubject ann() {
    return {.peer = PeerAddress::from_octets(ByteView("\xC0\0\x02\x07", 4)),
            .listener = "submission",
            .user = "ann@example.org",
            .user_class = "bulk",
            .is_authenticated = true,
            .is_trusted = false,
            .sender = "Ann@Example.ORG",
            .recipient = "\"bob\"@EXAMPLE.net",
            .upstream = "default",
            .bytes = 42};
}

std::vector<std::string> keys(const LimitBatch& batch) {
    std::vector<std::string> texts;
    for (const LimitQuestion& question : batch.questions) texts.push_back(question.key.text);
    return texts;
}

TEST(Limits, EachScopeHasItsOwnKey) {
    const auto value = [](LimitScope scope, const LimitSubject& subject) {
        return Limits::value_for(rule("r", Counted::kMessages, scope), subject).value_or("(none)");
    };
    EXPECT_EQ(value(LimitScope::kIp, ann()), "192.0.2.7");
    EXPECT_EQ(value(LimitScope::kNetwork, ann()), "192.0.2.0/24");
    EXPECT_EQ(value(LimitScope::kUser, ann()), "ann@example.org");
    EXPECT_EQ(value(LimitScope::kSender, ann()), "Ann@example.org");
    EXPECT_EQ(value(LimitScope::kSenderDomain, ann()), "example.org");
    EXPECT_EQ(value(LimitScope::kRecipientDomain, ann()), "example.net");
    EXPECT_EQ(value(LimitScope::kListener, ann()), "submission");
    EXPECT_EQ(value(LimitScope::kUpstream, ann()), "default");
    EXPECT_EQ(value(LimitScope::kAll, ann()), "all");
    EXPECT_EQ(value(LimitScope::kUser, LimitSubject()), "(none)");
    EXPECT_EQ(value(LimitScope::kIp, LimitSubject()), "(none)");
    EXPECT_EQ(value(LimitScope::kSender, LimitSubject()), "<>");
    EXPECT_EQ(value(LimitScope::kSenderDomain, LimitSubject()), "<>");
    LimitSubject nameless = ann();
    nameless.recipient = "bob";
    EXPECT_EQ(Limits::value_for(rule("r", Counted::kMessages, LimitScope::kRecipientDomain), nameless),
              "(none)");
    nameless.recipient = "\"a@b\"";
    EXPECT_EQ(Limits::value_for(rule("r", Counted::kMessages, LimitScope::kRecipientDomain), nameless),
              "(none)");
    nameless.user = "ANN@Example.org";
    EXPECT_EQ(Limits::value_for(rule("r", Counted::kMessages, LimitScope::kUser), nameless),
              "ann@example.org");
    nameless.sender = "\xC2\x9B@example.org";
    EXPECT_TRUE(
        Limits::value_for(rule("r", Counted::kMessages, LimitScope::kSender), nameless)->starts_with('#'));
}

TEST(Limits, ANetworkIsAsWideAsTheRuleSays) {
    LimitRule wide = rule("r", Counted::kMessages, LimitScope::kNetwork);
    wide.ipv4_prefix = 16;
    wide.ipv6_prefix = 48;
    LimitSubject subject = ann();
    EXPECT_EQ(Limits::value_for(wide, subject), "192.0.0.0/16");
    subject.peer = PeerAddress::from_octets(
        ByteView("\x20\x01\x0d\xb8\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06", 16));
    EXPECT_EQ(Limits::value_for(wide, subject), "2001:db8:1::/48");
}

TEST(Limits, AllConditionsMustHold) {
    const auto holds = [](auto change, const LimitSubject& subject) {
        LimitRule made = rule("r", Counted::kMessages, LimitScope::kAll);
        change(made.when);
        return Limits::value_for(made, subject).has_value();
    };
    EXPECT_TRUE(holds([](LimitConditions& when) { when.listener = "submission"; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.listener = "other"; }, ann()));
    EXPECT_TRUE(holds([](LimitConditions& when) { when.user = "*@EXAMPLE.org"; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.user = "*@example.net"; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.user = "*"; }, LimitSubject()));
    EXPECT_TRUE(holds([](LimitConditions& when) { when.user_class = "bulk"; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.user_class = "vip"; }, ann()));
    EXPECT_TRUE(holds([](LimitConditions& when) { when.authenticated = true; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.authenticated = false; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.trusted = true; }, ann()));
    EXPECT_FALSE(holds([](LimitConditions& when) { when.user = "ann*", when.listener = "other"; }, ann()));
}

TEST(Limits, EachRuleHasItsMoment) {
    const auto moment = [](Counted counted, LimitScope scope) {
        return Limits::moment_of(rule("r", counted, scope));
    };
    EXPECT_EQ(moment(Counted::kConnections, LimitScope::kIp), LimitMoment::kConnect);
    EXPECT_EQ(moment(Counted::kSessions, LimitScope::kIp), LimitMoment::kConnect);
    EXPECT_EQ(moment(Counted::kSessions, LimitScope::kUser), LimitMoment::kLogin);
    EXPECT_EQ(moment(Counted::kAuthAttempts, LimitScope::kIp), LimitMoment::kAuth);
    EXPECT_EQ(moment(Counted::kAuthFailures, LimitScope::kUser), LimitMoment::kAuthUser);
    EXPECT_EQ(moment(Counted::kMessages, LimitScope::kUser), LimitMoment::kMail);
    EXPECT_EQ(moment(Counted::kMessages, LimitScope::kRecipientDomain), LimitMoment::kRecipient);
    EXPECT_EQ(moment(Counted::kRecipients, LimitScope::kUser), LimitMoment::kRecipient);
    EXPECT_EQ(moment(Counted::kBytes, LimitScope::kAll), LimitMoment::kMail);
    LimitRule with_classes = rule("r", Counted::kSessions, LimitScope::kIp);
    with_classes.classes["bulk"] = with_classes.rate;
    EXPECT_EQ(Limits::moment_of(with_classes), LimitMoment::kLogin);
}

TEST(Limits, AClassPicksItsOwnNumbers) {
    LimitRule made = rule("r", Counted::kMessages, LimitScope::kUser);
    made.classes["bulk"] = {.count = 900, .per = hours(1), .burst = 50, .debt = 0};
    const Limits limits({made});
    EXPECT_EQ(limits.questions(LimitMoment::kMail, ann()).questions.front().rate.count, 900U);
    LimitSubject other = ann();
    other.user_class = "";
    EXPECT_EQ(limits.questions(LimitMoment::kMail, other).questions.front().rate.count, 3U);
}

TEST(Limits, AClassWithItsOwnNumbersHasItsOwnBucket) {
    LimitRule made = rule("r", Counted::kMessages, LimitScope::kAll);
    made.classes["bulk"] = {.count = 900, .per = hours(1), .burst = 50, .debt = 0};
    EXPECT_EQ(Limits::value_for(made, ann()), "=bulk:all");
    LimitSubject other = ann();
    other.user_class = "vip";
    EXPECT_EQ(Limits::value_for(made, other), "all");
    made.scope = LimitScope::kUser;
    EXPECT_EQ(Limits::value_for(made, ann()), "ann@example.org");
}

TEST(Limits, AskOnlyWhatConcernsTheSubject) {
    LimitRule dry = rule("dry", Counted::kBytes, LimitScope::kUser);
    dry.is_enforced = false;
    LimitRule elsewhere = rule("elsewhere", Counted::kMessages, LimitScope::kUser);
    elsewhere.when.listener = "other";
    const Limits limits({rule("messages", Counted::kMessages, LimitScope::kUser), dry, elsewhere,
                         rule("recipients", Counted::kRecipients, LimitScope::kUser)});
    const LimitBatch batch = limits.questions(LimitMoment::kMail, ann());
    EXPECT_THAT(keys(batch), ElementsAre("limit:messages:ann@example.org", "limit:dry:ann@example.org"));
    EXPECT_THAT(batch.rules, ElementsAre(0U, 1U));
    EXPECT_EQ(batch.questions[0].counting, Counting::kCharge);
    EXPECT_EQ(batch.questions[0].events, 1U);
    EXPECT_TRUE(batch.questions[0].is_binding);
    EXPECT_EQ(batch.questions[1].events, 42U);
    EXPECT_FALSE(batch.questions[1].is_binding);
    EXPECT_TRUE(limits.has(LimitMoment::kRecipient));
    EXPECT_FALSE(limits.has(LimitMoment::kConnect));
}

TEST(Limits, FailuresArePeekedAtAndRecorded) {
    const Limits limits({rule("failures", Counted::kAuthFailures, LimitScope::kIp)});
    EXPECT_EQ(limits.questions(LimitMoment::kAuth, ann()).questions.front().counting, Counting::kPeek);
    const auto records = limits.records(Counted::kAuthFailures, ann());
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records.front().counting, Counting::kRecord);
    EXPECT_THAT(limits.records(Counted::kAuthAttempts, ann()), IsEmpty());
}

TEST(Limits, TheHeaviestActionRefusesAndOfEqualOnesTheLongest) {
    const Limits limits({rule("defer", Counted::kMessages, LimitScope::kUser, LimitAction::kDefer),
                         rule("reject", Counted::kMessages, LimitScope::kUser, LimitAction::kReject),
                         rule("later", Counted::kMessages, LimitScope::kUser, LimitAction::kReject)});
    const std::vector<std::uint32_t> rules{0, 1, 2};
    const LimitAnswers answers{Refused{hours(1), 3}, Refused{seconds(5), 3}, Refused{seconds(9), 3}};
    EXPECT_EQ(limits.verdict(rules, answers),
              LimitVerdict(LimitRefusal{2, LimitAction::kReject, seconds(9)}));
    EXPECT_EQ(limits.verdict(rules, LimitAnswers(3, Allow{})), LimitVerdict(LimitAllowed{}));
}

TEST(Limits, WhatCannotBeAnsweredIsUnknownUnlessAnotherRefuses) {
    LimitRule dry = rule("dry", Counted::kMessages, LimitScope::kUser);
    dry.is_enforced = false;
    const Limits limits({rule("one", Counted::kMessages, LimitScope::kUser), dry});
    const std::vector<std::uint32_t> rules{0, 1};
    EXPECT_EQ(limits.verdict(rules, LimitAnswers{Unavailable{}, Allow{}}), LimitVerdict(LimitUnknown{}));
    EXPECT_EQ(limits.verdict(rules, LimitAnswers{Allow{}, Unavailable{}}), LimitVerdict(LimitAllowed{}));
    EXPECT_EQ(limits.verdict(rules, LimitAnswers{Allow{}, Refused{seconds(1), 3}}),
              LimitVerdict(LimitAllowed{}));
    EXPECT_EQ(limits.verdict(rules, LimitAnswers{}), LimitVerdict(LimitUnknown{}));
}

TEST(Limits, OnlyWhatWasCountedIsUndone) {
    const LimitQuestion charge{.key = {"a"}, .rate = {}, .counting = Counting::kCharge};
    LimitQuestion dry = charge;
    dry.key.text = "b";
    dry.is_binding = false;
    const TimePoint now{seconds(7)};
    const std::vector<LimitQuestion> batch{charge, dry};
    const auto undone = undo_of(batch, LimitAnswers{Allow{1, CountedBy::kStandIn}, Refused{}}, now);
    ASSERT_EQ(undone.size(), 1U);
    EXPECT_EQ(undone.front().key.text, "a");
    EXPECT_EQ(undone.front().counting, Counting::kReturn);
    EXPECT_EQ(undone.front().counted_at, now);
    EXPECT_EQ(undone.front().by, CountedBy::kStandIn);
    EXPECT_THAT(undo_of(batch, LimitAnswers{Refused{}, Allow{}}, now), IsEmpty());
    EXPECT_THAT(undo_of(batch, LimitAnswers{Allow{1, CountedBy::kNobody}, Refused{}}, now), IsEmpty());
}

TEST(LimitReply, NamesTheLimitAndTheTime) {
    const LimitRule messages = rule("user-messages", Counted::kMessages, LimitScope::kUser);
    const auto said = [&](LimitReplyTo to, LimitAction action, Duration retry) {
        const smtp::Reply reply =
            limit_reply(to, messages, {.rule = 0, .action = action, .retry_after = retry});
        return std::to_string(reply.code) + ' ' + reply.text;
    };
    using enum LimitReplyTo;
    EXPECT_EQ(said(kTransaction, LimitAction::kDefer, milliseconds(41'200)),
              "451 4.7.1 Rate limit \"user-messages\": try again in 42 s");
    EXPECT_EQ(said(kTransaction, LimitAction::kReject, milliseconds(1)),
              "550 5.7.1 Rate limit \"user-messages\": try again in 1 s");
    EXPECT_EQ(said(kTransaction, LimitAction::kClose, seconds(3)),
              "421 4.7.0 Rate limit \"user-messages\": try again in 3 s");
    EXPECT_EQ(said(kAuth, LimitAction::kDefer, seconds(3)).substr(0, 9), "454 4.7.0");
    EXPECT_EQ(said(kAuth, LimitAction::kReject, seconds(3)).substr(0, 9), "550 5.7.1");
    EXPECT_EQ(said(kGreeting, LimitAction::kDelay, seconds(3)).substr(0, 9), "421 4.7.0");
    EXPECT_EQ(said(kGreeting, LimitAction::kReject, seconds(3)).substr(0, 9), "554 5.7.1");
    EXPECT_EQ(said(kTransaction, LimitAction::kDefer, Duration::max()),
              "550 5.7.1 Rate limit \"user-messages\" never allows so much");
}

}  // namespace
}  // namespace gatepost::policy

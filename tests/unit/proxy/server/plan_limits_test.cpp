#include "proxy/server/plan_limits.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/server/plan.h"
#include "proxy/session/conversation.h"
#include "tests/fakes/fake_actions.h"

namespace gatepost::server {
namespace {

using policy::Counted;
using policy::LimitAction;
using policy::LimitRule;
using policy::LimitScope;
using policy::Rate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::chrono::hours kHour{1};

conf::Limit limit_on(conf::LimitCount count) {
    conf::Limit limit;
    limit.name = "some";
    limit.count = count;
    limit.rate = {.count = 100, .per = kHour};
    return limit;
}

LimitRule rule_of(conf::Limit limit) {
    conf::Config config;
    config.limits.push_back(std::move(limit));
    const policy::Limits limits = to_limits(config);
    EXPECT_EQ(limits.size(), 1U);
    return limits.rule(0);
}

TEST(PlanLimits, EveryCountIsItsOwn) {
    using conf::LimitCount;
    const std::pair<LimitCount, Counted> pairs[] = {
        {LimitCount::Connections, Counted::kConnections},
        {LimitCount::Sessions, Counted::kSessions},
        {LimitCount::AuthAttempts, Counted::kAuthAttempts},
        {LimitCount::AuthFailures, Counted::kAuthFailures},
        {LimitCount::Messages, Counted::kMessages},
        {LimitCount::Recipients, Counted::kRecipients},
        {LimitCount::Bytes, Counted::kBytes},
    };
    for (const auto& [written, meant] : pairs) EXPECT_EQ(rule_of(limit_on(written)).counted, meant);
}

TEST(PlanLimits, EveryScopeIsItsOwn) {
    using conf::LimitPer;
    const std::pair<LimitPer, LimitScope> pairs[] = {
        {LimitPer::Ip, LimitScope::kIp},
        {LimitPer::Network, LimitScope::kNetwork},
        {LimitPer::User, LimitScope::kUser},
        {LimitPer::Sender, LimitScope::kSender},
        {LimitPer::SenderDomain, LimitScope::kSenderDomain},
        {LimitPer::RecipientDomain, LimitScope::kRecipientDomain},
        {LimitPer::Listener, LimitScope::kListener},
        {LimitPer::Upstream, LimitScope::kUpstream},
        {LimitPer::All, LimitScope::kAll},
    };
    for (const auto& [written, meant] : pairs) {
        conf::Limit limit = limit_on(conf::LimitCount::Messages);
        limit.per = written;
        EXPECT_EQ(rule_of(limit).scope, meant);
    }
}

TEST(PlanLimits, EveryActionIsItsOwn) {
    const std::pair<conf::LimitAction, LimitAction> pairs[] = {
        {conf::LimitAction::Defer, LimitAction::kDefer},
        {conf::LimitAction::Reject, LimitAction::kReject},
        {conf::LimitAction::Close, LimitAction::kClose},
        {conf::LimitAction::Delay, LimitAction::kDelay},
    };
    for (const auto& [written, meant] : pairs) {
        conf::Limit limit = limit_on(conf::LimitCount::Messages);
        limit.action = written;
        EXPECT_EQ(rule_of(limit).action, meant);
    }
}

TEST(PlanLimits, ARateWithoutABurstHasItsCountForOne) {
    EXPECT_EQ(rule_of(limit_on(conf::LimitCount::Messages)).rate,
              (Rate{.count = 100, .per = kHour, .burst = 100, .debt = 0}));
}

TEST(PlanLimits, AWrittenBurstHoldsForTheRuleAndItsClasses) {
    conf::Limit limit = limit_on(conf::LimitCount::Messages);
    limit.burst = 7;
    limit.classes["bulk"] = {.count = 5000, .per = std::chrono::minutes(1)};
    const LimitRule rule = rule_of(limit);
    EXPECT_EQ(rule.rate, (Rate{.count = 100, .per = kHour, .burst = 7}));
    EXPECT_THAT(rule.classes,
                ElementsAre(Pair("bulk", Rate{.count = 5000, .per = std::chrono::minutes(1), .burst = 7})));
}

TEST(PlanLimits, AClassWithoutABurstHasItsOwnCountForOne) {
    conf::Limit limit = limit_on(conf::LimitCount::Messages);
    limit.classes["bulk"] = {.count = 5000, .per = kHour};
    limit.classes["tiny"] = {.count = 2, .per = kHour};
    EXPECT_THAT(rule_of(limit).classes,
                ElementsAre(Pair("bulk", Rate{.count = 5000, .per = kHour, .burst = 5000}),
                            Pair("tiny", Rate{.count = 2, .per = kHour, .burst = 2})));
}

TEST(PlanLimits, OnlyFailuresAreRememberedBeyondTheBurst) {
    using conf::LimitCount;
    conf::Limit failures = limit_on(LimitCount::AuthFailures);
    EXPECT_EQ(rule_of(failures).rate.debt, 700U);
    failures.burst = 3;
    EXPECT_EQ(rule_of(failures).rate.debt, 21U);
    for (const LimitCount other : {LimitCount::Connections, LimitCount::Sessions, LimitCount::AuthAttempts,
                                   LimitCount::Messages, LimitCount::Recipients, LimitCount::Bytes}) {
        EXPECT_EQ(rule_of(limit_on(other)).rate.debt, 0U);
    }
}

TEST(PlanLimits, NumbersBeyondWhatIsExactAreCutThere) {
    conf::Limit limit = limit_on(conf::LimitCount::Bytes);
    limit.rate.count = ~std::uint64_t{0};
    EXPECT_EQ(rule_of(limit).rate, (Rate{.count = Rate::kMost, .per = kHour, .burst = Rate::kMost}));
    limit.count = conf::LimitCount::AuthFailures;
    const Rate failures = rule_of(limit).rate;
    EXPECT_LE(failures.debt, Rate::kMost);
    EXPECT_EQ(failures.debt, 7 * failures.burst);
    EXPECT_GT(failures.burst, Rate::kMost / 10);
}

TEST(PlanLimits, SessionsOfABareNumberAreSoManyAtATime) {
    conf::Limit limit = limit_on(conf::LimitCount::Sessions);
    limit.rate = {.count = 5, .per = {}};
    const Rate rate = rule_of(limit).rate;
    EXPECT_EQ(rate.burst, 5U);
    EXPECT_GT(rate.per, Duration::zero()) << "a store divides by it";
    limit.burst = 9;
    EXPECT_EQ(rule_of(limit).rate.burst, 9U);
}

TEST(PlanLimits, PolicyBecomesWhatASessionAsksFor) {
    const session::Settings initial;
    session::Settings settings;
    plan_policy(conf::Policy{}, settings);
    EXPECT_FALSE(settings.own_senders);
    EXPECT_TRUE(settings.null_sender);
    EXPECT_TRUE(settings.received_header);
    EXPECT_FALSE(settings.user_in_received);
    EXPECT_TRUE(settings.recipients.allows("anybody@example.org"));

    conf::Policy policy;
    policy.senders = conf::SenderPolicy::Own;
    policy.null_sender = false;
    policy.recipients_allow = {"*@example.org"};
    policy.recipients_deny = {"root@example.org"};
    policy.received_header = false;
    policy.user_in_received = true;
    plan_policy(policy, settings);
    EXPECT_TRUE(settings.own_senders);
    EXPECT_FALSE(settings.null_sender);
    EXPECT_FALSE(settings.received_header);
    EXPECT_TRUE(settings.user_in_received);
    EXPECT_TRUE(settings.recipients.allows("ann@example.org"));
    EXPECT_FALSE(settings.recipients.allows("ann@example.net"));
    EXPECT_FALSE(settings.recipients.allows("root@example.org"));
}

// From the text of a configuration to the settings of a session.

class PlannedTextTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "gatepost-limits-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        std::ofstream(folder_ / "users") << "alice:{PLAIN}secret\n";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    /// `listener` are further keys of the only one.
    [[nodiscard]] std::shared_ptr<const Plan> planned(const std::string& listener,
                                                      const std::string& extra = "") {
        const std::string text =
            "hostname: gw.test\n"
            "listeners: [{name: plain, address: '127.0.0.1:2525', tls: none, require_tls: false" +
            listener +
            "}]\nauth: {plaintext_without_tls: true}\n"
            "backends: {local: {type: file, path: '" +
            (folder_ / "users").string() +
            "'}}\n"
            "upstreams: [{name: default, servers: ['127.0.0.1:25']}]\n" +
            extra;
        const conf::Loaded loaded = conf::load_text(text, "test.yaml", conf::process_environment());
        if (!loaded) {
            ADD_FAILURE() << loaded.error().front().text();
            return nullptr;
        }
        auto plan = make_plan(*loaded);
        EXPECT_TRUE(plan);
        return plan ? *plan : nullptr;
    }

    std::filesystem::path folder_;
};

constexpr char kRules[] = R"(
limits:
  - {name: first, count: connections, per: ip, rate: 9/1m, action: close}
  - name: second
    count: bytes
    per: network
    rate: 10MiB/1h
    burst: 1MiB
    action: reject
    classes: {bulk: 1GiB/1d}
    when: {listener: plain, user: '*@example.org', class: bulk, authenticated: true, trusted: false}
    enforce: false
    ipv4_prefix: 20
    ipv6_prefix: 48
  - {name: third, count: sessions, per: user, rate: 5, action: defer}
limit_store: {timeout: 300ms}
policy: {senders: own, null_sender: false, user_in_received: true}
)";

TEST_F(PlannedTextTest, EveryKeyOfARuleIsHeeded) {
    const auto plan = planned("", kRules);
    ASSERT_TRUE(plan);
    const session::Settings& session = plan->listeners.front().session;
    ASSERT_EQ(session.limits.size(), 3U);
    EXPECT_EQ(session.limits_timeout, std::chrono::milliseconds(2300))
        << "the store's own, and slack for it to answer";

    const LimitRule& first = session.limits.rule(0);
    EXPECT_EQ(first.name, "first");
    EXPECT_EQ(first.scope, LimitScope::kIp);
    EXPECT_EQ(first.action, LimitAction::kClose);
    EXPECT_TRUE(first.is_enforced);
    EXPECT_EQ(first.ipv4_prefix, 24U);
    EXPECT_EQ(first.ipv6_prefix, 64U);
    EXPECT_THAT(first.classes, IsEmpty());
    EXPECT_EQ(first.when.listener + first.when.user + first.when.user_class, "");
    EXPECT_EQ(first.when.authenticated, std::nullopt);
    EXPECT_EQ(first.when.trusted, std::nullopt);

    const LimitRule& second = session.limits.rule(1);
    constexpr std::uint64_t kMiB = 1024 * 1024;
    EXPECT_EQ(second.counted, Counted::kBytes);
    EXPECT_EQ(second.scope, LimitScope::kNetwork);
    EXPECT_EQ(second.rate, (Rate{.count = 10 * kMiB, .per = kHour, .burst = kMiB}));
    EXPECT_EQ(second.action, LimitAction::kReject);
    EXPECT_THAT(second.classes,
                ElementsAre(Pair("bulk", Rate{.count = 1024 * kMiB, .per = 24 * kHour, .burst = kMiB})));
    EXPECT_EQ(second.when.listener, "plain");
    EXPECT_EQ(second.when.user, "*@example.org");
    EXPECT_EQ(second.when.user_class, "bulk");
    EXPECT_EQ(second.when.authenticated, true);
    EXPECT_EQ(second.when.trusted, false);
    EXPECT_FALSE(second.is_enforced);
    EXPECT_EQ(second.ipv4_prefix, 20U);
    EXPECT_EQ(second.ipv6_prefix, 48U);

    EXPECT_EQ(session.limits.rule(2).rate.burst, 5U);
    EXPECT_TRUE(session.own_senders);
    EXPECT_FALSE(session.null_sender);
    EXPECT_TRUE(session.user_in_received);
}

TEST_F(PlannedTextTest, LabelsNameEveryRuleInItsPlaceAndTheStore) {
    const auto plan = planned("", kRules);
    ASSERT_TRUE(plan);
    const observe::LabelSets labels = label_sets(*plan);
    EXPECT_THAT(labels.limits, ElementsAre("first", "second", "third"));
    EXPECT_EQ(labels.limit_store, "memory");
    const auto shared = planned("", "limit_store: {type: redis, url: 'redis://127.0.0.1:6379/0'}\n");
    ASSERT_TRUE(shared);
    EXPECT_THAT(label_sets(*shared).limits, IsEmpty());
    EXPECT_EQ(label_sets(*shared).limit_store, "redis");
}

/// What a client who has not logged in hears to MAIL.
std::string reply_to_mail(const ListenerPlan& listener, const char* address) {
    test::FakeActions actions;
    const auto peer = net::SocketAddress::from_ip(address, 1);
    const session::ClientFacts client{
        .address = address, .session_id = "s-1", .peer = {}, .is_trusted = listener.is_trusted(*peer)};
    session::Conversation conversation(listener.session, client, actions);
    conversation.on(session::ClientConnected{});
    for (const char* line : {"EHLO c.example\r\n", "MAIL FROM:<a@c.example>\r\n"}) {
        actions.to_client.clear();
        EXPECT_EQ(conversation.on(session::BytesFromClient{.bytes = line, .now = {}}),
                  std::string_view(line).size());
    }
    return actions.to_client + (actions.opens > 0 ? "an upstream is wanted" : "");
}

TEST_F(PlannedTextTest, WithoutAuthOnlyTrustedNetworksMaySend) {
    for (const char* keys :
         {", trusted_networks: [192.0.2.0/24]", ", require_auth: false, trusted_networks: [192.0.2.0/24]"}) {
        const auto plan = planned(keys);
        ASSERT_TRUE(plan);
        const ListenerPlan& listener = plan->listeners.front();
        EXPECT_TRUE(listener.session.require_auth);
        EXPECT_THAT(reply_to_mail(listener, "198.51.100.7"), HasSubstr("530 5.7.0")) << keys;
        EXPECT_EQ(reply_to_mail(listener, "192.0.2.7"), "an upstream is wanted") << keys;
    }
}

TEST_F(PlannedTextTest, ARelayForAnybodyAsksNobodyToLogIn) {
    const auto plan = planned(", require_auth: false, relay_for_anybody: true");
    ASSERT_TRUE(plan);
    const ListenerPlan& listener = plan->listeners.front();
    EXPECT_FALSE(listener.session.require_auth);
    EXPECT_EQ(reply_to_mail(listener, "198.51.100.7"), "an upstream is wanted");
}

}  // namespace
}  // namespace gatepost::server

#include "proxy/server/plan.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/server/deep_check.h"

namespace gatepost::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PlanTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "gatepost-plan-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        write("users", "alice:{PLAIN}secret\n");
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

    [[nodiscard]] std::shared_ptr<const conf::Config> config(const std::string& extra) {
        return loaded(extra +
                      "\nupstreams: [{name: default, servers: ['127.0.0.1:25'], reply_timeout: 7s}]\n");
    }

    [[nodiscard]] std::shared_ptr<const conf::Config> loaded(const std::string& extra) {
        const std::string text = "hostname: gw.test\nworkers: 3\nbackends: {local: {type: file, path: '" +
                                 (folder_ / "users").string() + "'}}\n" + extra;
        const conf::Loaded loaded = conf::load_text(text, "test.yaml", conf::process_environment());
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().front().text());
        return loaded ? *loaded : nullptr;
    }

    std::filesystem::path folder_;
};

constexpr char kPlainListener[] =
    "listeners: [{name: plain, address: '127.0.0.1:2525', tls: none, require_tls: false, trusted_networks: "
    "[192.0.2.0/24]}]\n"
    "auth: {plaintext_without_tls: true, max_attempts: 5}";

TEST_F(PlanTest, AnUpstreamThatKeepsItsNameKeepsItsCounts) {
    const auto before = make_plan(config(kPlainListener));
    ASSERT_TRUE(before);
    const auto same = make_plan(config(kPlainListener), before->get());
    ASSERT_TRUE(same);
    EXPECT_EQ((*same)->upstreams.front().group, (*before)->upstreams.front().group);
    EXPECT_EQ((*same)->upstreams.front().totals, (*before)->upstreams.front().totals);
    const auto other = make_plan(
        loaded(std::string(kPlainListener) + "\nupstreams: [{name: new, servers: ['127.0.0.1:25']}]\n"),
        before->get());
    ASSERT_TRUE(other);
    EXPECT_NE((*other)->upstreams.front().group, (*before)->upstreams.front().group);
    EXPECT_NE((*other)->upstreams.front().totals, (*before)->upstreams.front().totals);
}

TEST_F(PlanTest, TranslatesWhatASessionNeeds) {
    const auto plan = make_plan(config(kPlainListener));
    ASSERT_TRUE(plan);
    EXPECT_EQ((*plan)->workers, 3U);
    ASSERT_THAT((*plan)->listeners, SizeIs(1));
    const ListenerPlan& listener = (*plan)->listeners.front();
    EXPECT_EQ(listener.session.hostname, "gw.test");
    EXPECT_EQ(listener.session.max_attempts, 5);
    ASSERT_THAT(listener.session.upstreams, SizeIs(1));
    EXPECT_EQ(listener.session.upstreams.front().name, "default");
    EXPECT_EQ(listener.session.upstreams.front().reply_timeout, std::chrono::seconds(7));
    EXPECT_FALSE(listener.session.offers_tls);
    EXPECT_FALSE(listener.session.require_tls);
    EXPECT_THAT(listener.session.mechanisms,
                ElementsAre("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"));
    EXPECT_TRUE(listener.is_trusted(*net::SocketAddress::parse("192.0.2.7:1")));
    EXPECT_FALSE(listener.is_trusted(*net::SocketAddress::parse("198.51.100.7:1")));
}

constexpr char kGuessing[] =
    "listeners: [{name: plain, address: '127.0.0.1:2525', tls: none, require_tls: false}]\n"
    "auth: {plaintext_without_tls: true, guessing: {per_ip: 7/2m, per_network: off, per_user_and_network: "
    "off, per_user_delay: 3s}}";

TEST_F(PlanTest, TranslatesWhatAPoolNeeds) {
    const auto plan =
        make_plan(loaded(std::string(kPlainListener) +
                         "\nupstreams:\n"
                         "  - {name: default, servers: ['127.0.0.1:25']}\n"
                         "  - {name: other, servers: ['127.0.0.1:26'], balance: round_robin,\n"
                         "     identity: xclient_login, source_address: 192.0.2.9, username: gw,\n"
                         "     password: secret, mail_auth: true, connect_timeout: 4s,\n"
                         "     pool: {max_connections: 9, max_idle: 8, min_idle: 5, idle_timeout: 6s,\n"
                         "            max_messages: 3, max_age: 2m, wait_timeout: 1s}}\n"));
    ASSERT_TRUE(plan);
    const auto first = make_pool_settings(**plan, 1, 0);
    EXPECT_EQ(first.identity, upstream::Identity::kXclientLogin);
    EXPECT_EQ(first.balance, upstream::Balance::kRoundRobin);
    EXPECT_EQ(first.max_connections, 9U);
    EXPECT_EQ(first.max_idle, 8U);
    EXPECT_EQ(first.idle_timeout, std::chrono::seconds(6));
    EXPECT_EQ(first.max_messages, 3U);
    EXPECT_EQ(first.max_age, std::chrono::minutes(2));
    EXPECT_EQ(first.wait_timeout, std::chrono::seconds(1));
    EXPECT_EQ(first.connect_timeout, std::chrono::seconds(4));
    EXPECT_EQ(first.opener.source->ip_string(), "192.0.2.9");
    EXPECT_EQ(first.opener.opening.our_name, "gw.test");
    EXPECT_EQ(first.opener.opening.xclient, smtp::OpeningSettings::Xclient::kLogin);
    EXPECT_TRUE(first.opener.opening.needs_auth_parameter);
    EXPECT_NE(first.opener.opening.auth, nullptr);
    EXPECT_EQ(first.min_idle, 2U) << "of 5 for 3 workers";
    EXPECT_EQ(make_pool_settings(**plan, 1, 1).min_idle, 2U);
    EXPECT_EQ(make_pool_settings(**plan, 1, 2).min_idle, 1U);
    const auto plain = make_pool_settings(**plan, 0, 0);
    EXPECT_EQ(plain.identity, upstream::Identity::kNone);
    EXPECT_EQ(plain.opener.opening.auth, nullptr);
    EXPECT_FALSE(plain.opener.source);
}

TEST_F(PlanTest, TheStoreOfLimitsIsTheOneThatTheProcessWasStartedWith) {
    const auto first = make_plan(config(std::string(kPlainListener) + "\nlimit_store: {timeout: 50ms}"));
    ASSERT_TRUE(first);
    const std::string changed = "\nlimit_store: {type: redis, url: 'redis://127.0.0.1:1', timeout: 900ms}";
    const auto second = make_plan(config(kPlainListener + changed), first->get());
    ASSERT_TRUE(second);
    const auto third = make_plan(config(kPlainListener + changed), second->get());
    ASSERT_TRUE(third);
    EXPECT_EQ(label_sets(**third).limit_store, "memory");
    EXPECT_EQ((*third)->listeners.front().session.limits_timeout,
              (*first)->listeners.front().session.limits_timeout);
}

TEST_F(PlanTest, TranslatesTheRulesAgainstGuessing) {
    const auto plan = make_plan(config(kGuessing));
    ASSERT_TRUE(plan);
    const policy::Guessing& guessing = (*plan)->listeners.front().session.guessing;
    const auto address = policy::PeerAddress::from_octets("\x7F\x01\x01\x01");
    const std::vector<policy::LimitQuestion> asked = guessing.questions_before(address, "fred");
    ASSERT_THAT(asked, SizeIs(2));
    EXPECT_EQ(asked[0].key.text, "guess:ip:127.1.1.1");
    EXPECT_EQ(asked[0].rate.count, 7U);
    EXPECT_EQ(asked[0].rate.per, std::chrono::minutes(2));
    EXPECT_EQ(asked[1].key.text, "guess:user:=fred");
    const policy::LimitAnswers many{policy::Allow{}, policy::Allow{16}};
    EXPECT_EQ(guessing.verdict(address, "fred", many),
              policy::GuessingVerdict(policy::GoOn{std::chrono::seconds(3)}));
}

TEST_F(PlanTest, EveryRuleAgainstGuessingHoldsUnlessSwitchedOff) {
    const auto plan = make_plan(config(kPlainListener));
    ASSERT_TRUE(plan);
    const auto address = policy::PeerAddress::from_octets("\x7F\x01\x01\x01");
    EXPECT_THAT((*plan)->listeners.front().session.guessing.questions_before(address, "fred"), SizeIs(4));
}

TEST_F(PlanTest, EverythingWrongBeyondTheFileIsToldAtOnceAtItsOwnKey) {
    write("tls.pem", "not a certificate\n");
    write("users", "alice:{PLAIN}secret\nbob:$apr1$xx$yy\n");
    const std::string pem = (folder_ / "tls.pem").string();
    const std::string text =
        "hostname: gw.test\n"
        "listeners: [{name: submission, address: '127.0.0.1:2525',\n"
        "             tls_options: {ciphers: NOPE}}]\n"
        "tls:\n  ticket_keys: '" +
        pem + "'\n  certificates:\n    - {certificate: '" + pem + "', key: '" + pem +
        "'}\n    - {certificate: '" + pem + "', key: '" + pem +
        "'}\n"
        "bogus: 1\n"
        "backends: {local: {type: file, path: '" +
        (folder_ / "users").string() +
        "'}}\n"
        "upstreams: [{name: default, servers: ['127.0.0.1:25']}]\n";
    const conf::Loaded loaded = conf::load_text(text, "test.yaml", conf::process_environment(),
                                                conf::Files::MustExist, deep_problems);
    ASSERT_FALSE(loaded);
    std::vector<std::string> told;
    for (const conf::Problem& problem : loaded.error()) told.push_back(problem.text());
    EXPECT_THAT(told, ElementsAre(HasSubstr("test.yaml:3:37: listeners[0].tls_options.ciphers: "),
                                  HasSubstr("test.yaml:5:16: tls.ticket_keys: "),
                                  HasSubstr("test.yaml:7:7: tls.certificates[0]: "),
                                  HasSubstr("test.yaml:8:7: tls.certificates[1]: "),
                                  HasSubstr("test.yaml:9:1: bogus: "), HasSubstr("users:2:1: ")));
}

TEST_F(PlanTest, BadUsersFileIsADeepProblemByItsLine) {
    write("users", "alice:{PLAIN}secret\nbob:$apr1$xx$yy\n");
    const auto problems = deep_problems(*config(kPlainListener));
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_THAT(problems.front().text(), HasSubstr("users:2:"));
}

TEST_F(PlanTest, LabelsNameEveryListenerAndServer) {
    const auto plan = make_plan(config(kPlainListener));
    ASSERT_TRUE(plan);
    const observe::LabelSets labels = label_sets(**plan);
    EXPECT_THAT(labels.listeners, ElementsAre("plain"));
    ASSERT_THAT(labels.endpoints, SizeIs(1));
    EXPECT_EQ(labels.endpoints.front().name, "127.0.0.1:25");
}

}  // namespace
}  // namespace gatepost::server

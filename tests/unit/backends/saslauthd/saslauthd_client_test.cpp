#include "backends/saslauthd/saslauthd_client.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/backends/saslauthd/fake_saslauthd.h"

namespace gatepost::backends {
namespace {

using auth::PasswordAnswer;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using namespace std::string_literals;
using Outcome = SaslauthdOutcome;

constexpr auto kAccepted = PasswordAnswer::kAccepted;
constexpr auto kRefused = PasswordAnswer::kRefused;
constexpr auto kUnavailable = PasswordAnswer::kUnavailable;

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

class SaslauthdClientTest : public ::testing::Test, public SaslauthdObserver {
  protected:
    SaslauthdClientTest() { settings_.deadline = 5s; }

    void make() {
        settings_.socket = daemon_.address();
        client_ = std::make_unique<SaslauthdClient>(loop_, settings_, *this);
    }

    /// Its answer arrives in answers_[the number returned].
    std::size_t ask(const std::string& user, const std::string& password = "secret") {
        if (!client_) make();
        const std::size_t number = asked_++;
        answers_.emplace_back();
        client_->check(user, Secret(password), loop_, [this, number](PasswordAnswer answer) {
            EXPECT_TRUE(answers_[number].empty()) << "answered twice";
            answers_[number].push_back(answer);
            order_.push_back(number);
        });
        EXPECT_TRUE(answers_[number].empty()) << "answered inside the call";
        return number;
    }

    bool run_until(const std::function<bool()>& done) {
        bool is_done = done();
        const TimePoint limit = loop_.now() + 10s;
        net::Timer tick(loop_, [&] {
            is_done = done();
            if (is_done || loop_.now() > limit) return loop_.stop();
            tick.start(1ms);
        });
        tick.start(Duration::zero());
        loop_.run();
        return is_done;
    }
    void run_for(Duration time) {
        net::Timer end(loop_, [&] { loop_.stop(); });
        end.start(time);
        loop_.run();
    }
    bool run_until_all() {
        return run_until([this] { return order_.size() == asked_; });
    }
    /// Asks and waits.
    PasswordAnswer judge(const std::string& user, const std::string& password = "secret") {
        const std::size_t number = ask(user, password);
        EXPECT_TRUE(run_until([&] { return !answers_[number].empty(); }));
        return answers_[number].at(0);
    }

    void checked(Outcome outcome, std::string_view detail, Duration took) override {
        outcomes_.push_back(outcome);
        details_.emplace_back(detail);
        took_.push_back(took);
    }
    void circuit_changed(bool is_open) override { circuit_.push_back(is_open); }

    void TearDown() override {
        if (client_) {
            EXPECT_TRUE(run_until_all());
            EXPECT_EQ(client_->connections(), 0U);
            EXPECT_EQ(client_->waiting(), 0U);
            EXPECT_EQ(outcomes_.size(), asked_);
        }
        for (const std::string& detail : details_) EXPECT_THAT(detail, ::testing::Not(HasSubstr("secret")));
    }

    net::EventLoop loop_;
    FakeSaslauthd daemon_{loop_};
    SaslauthdSettings settings_;
    std::unique_ptr<SaslauthdClient> client_;
    std::size_t asked_ = 0;
    std::vector<std::vector<PasswordAnswer>> answers_;
    std::vector<std::size_t> order_;
    std::vector<Outcome> outcomes_;
    std::vector<std::string> details_;
    std::vector<Duration> took_;
    std::vector<bool> circuit_;
};

TEST_F(SaslauthdClientTest, RightAndWrong) {
    daemon_.plan = [](const auto& request) {
        return FakeSaslauthd::say(request[1] == "right" ? "OK" : "NO no\n");
    };
    EXPECT_EQ(judge("alice", "right"), kAccepted);
    EXPECT_EQ(judge("alice", "wrong"), kRefused);
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kAccepted, Outcome::kRefused));
    EXPECT_THAT(details_, ElementsAre("OK", "NO no\\x0a"));
}

TEST_F(SaslauthdClientTest, NamesAreSplitAtTheLastAtAsLibsaslDoes) {
    settings_.realm = "default.example";
    settings_.service = "submission";
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("NO"); };
    judge("alice@x@example.com");
    judge("bob");
    EXPECT_EQ(judge("bob@"), kRefused) << "who is not bob, and is not asked for";
    EXPECT_THAT(daemon_.requests, ElementsAre(ElementsAre("alice@x", "secret", "submission", "example.com"),
                                              ElementsAre("bob", "secret", "submission", "default.example")));
}

TEST_F(SaslauthdClientTest, TheFirstYesUnderARealmIsPutToTheTest) {
    settings_.realm_test_interval = 200ms;
    daemon_.plan = [](const auto& request) {
        return FakeSaslauthd::say(request[3] == "example.com" ? "OK" : "NO");
    };
    EXPECT_EQ(judge("alice@example.com"), kAccepted);
    EXPECT_EQ(judge("bob@example.com"), kAccepted);
    EXPECT_THAT(daemon_.requests, ElementsAre(ElementsAre("alice", "secret", "smtp", "example.com"),
                                              ElementsAre("alice", "secret", "smtp", "no-such-realm.invalid"),
                                              ElementsAre("alice", "secret", "smtp", "example.com"),
                                              ElementsAre("bob", "secret", "smtp", "example.com")));
    run_for(250ms);
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("OK"); };  // started anew, without -r
    EXPECT_EQ(judge("bob@example.com"), kRefused);
    EXPECT_EQ(outcomes_.back(), Outcome::kIgnoresRealms);
}

TEST_F(SaslauthdClientTest, WhoWaitedWhileTheTestWasPassedIsNotTested) {
    settings_.max_connections = 1;
    daemon_.plan = [](const auto& request) {
        return FakeSaslauthd::say(request[3] == "example.com" ? "OK" : "NO");
    };
    for (int i = 0; i < 5; ++i) ask("alice@example.com");
    EXPECT_TRUE(run_until_all());
    EXPECT_THAT(outcomes_, Each(Outcome::kAccepted));
    EXPECT_EQ(daemon_.requests.size(), 5U + 2U);
}

TEST_F(SaslauthdClientTest, APasswordThatServesOnceProvesNothing) {
    int asked = 0;
    daemon_.plan = [&asked](const auto&) { return FakeSaslauthd::say(asked++ == 0 ? "OK" : "NO"); };
    EXPECT_EQ(judge("alice@anything.example"), kRefused);
    asked = 0;
    EXPECT_EQ(judge("alice@anything.example"), kRefused) << "the next one neither";
}

TEST_F(SaslauthdClientTest, KerberosCallsAnUnknownRealmAnError) {
    daemon_.plan = [](const auto& request) {
        return FakeSaslauthd::say(request[3] == "EXAMPLE.COM" ? "OK" : "NO saslauthd internal error");
    };
    EXPECT_EQ(judge("alice@EXAMPLE.COM"), kAccepted);
}

TEST_F(SaslauthdClientTest, ADaemonThatIgnoresRealmsServesNamesWithoutOneAndTheConfiguredOne) {
    settings_.realm = "example.com";
    EXPECT_EQ(judge("alice"), kAccepted);
    EXPECT_EQ(judge("alice@example.com"), kAccepted);
    EXPECT_EQ(judge("alice@elsewhere.example"), kRefused) << "as is a wrong password, or it would be told";
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kAccepted, Outcome::kAccepted, Outcome::kIgnoresRealms));
    EXPECT_THAT(details_.back(), HasSubstr("-r"));
    EXPECT_THAT(circuit_, IsEmpty());
}

TEST_F(SaslauthdClientTest, ARealmThatCannotBeTestedIsNotBelieved) {
    for (const auto& plan : {FakeSaslauthd::say("YES"), FakeSaslauthd::Plan{.reply = ""}}) {
        daemon_.plan = [&plan](const auto& request) {
            return request[3] == "example.com" ? FakeSaslauthd::say("OK") : plan;
        };
        EXPECT_EQ(judge("alice@example.com"), kUnavailable);
    }
    daemon_.plan = [this](const auto& request) {
        if (request[3] == "example.com") daemon_.stop();
        return FakeSaslauthd::say("OK");
    };
    EXPECT_EQ(judge("alice@example.com"), kUnavailable);
    EXPECT_EQ(outcomes_.back(), Outcome::kConnectFailed);
}

TEST_F(SaslauthdClientTest, ATestThatHangsHasADeadlineAndOpensNoCircuit) {
    settings_.deadline = 100ms;
    settings_.breaker_failures = 1;
    daemon_.plan = [](const auto& request) {
        return request[3] == "example.com" ? FakeSaslauthd::say("OK") : FakeSaslauthd::hang();
    };
    EXPECT_EQ(judge("alice@example.com"), PasswordAnswer::kTimedOut);
    EXPECT_THAT(circuit_, IsEmpty());
    EXPECT_EQ(judge("alice"), PasswordAnswer::kTimedOut) << "a first question counts";
    EXPECT_THAT(circuit_, ElementsAre(true));
}

TEST_F(SaslauthdClientTest, RepliesInSinglesOctets) {
    daemon_.plan = [](const auto& request) {
        auto plan = FakeSaslauthd::say(request[0] == "alice" ? "OK well done" : "NO");
        plan.in_pieces = true;
        return plan;
    };
    EXPECT_EQ(judge("alice"), kAccepted);
    EXPECT_EQ(judge("bob"), kRefused);
    EXPECT_THAT(details_, ElementsAre("OK well done", "NO"));
}

TEST_F(SaslauthdClientTest, CutOffAtEveryOctetIsUnavailable) {
    settings_.breaker_failures = 1000;
    const std::string whole = FakeSaslauthd::say("OK fine").reply;
    std::size_t size = 0;
    daemon_.plan = [&](const auto&) { return FakeSaslauthd::Plan{.reply = whole.substr(0, size)}; };
    for (; size < whole.size(); ++size) EXPECT_EQ(judge("alice"), kUnavailable) << size;
    EXPECT_THAT(outcomes_, Each(Outcome::kClosed));
    EXPECT_EQ(judge("alice"), kAccepted);
}

TEST_F(SaslauthdClientTest, NonsenseAndTroubleAreUnavailable) {
    daemon_.plan = [](const auto&) {
        return FakeSaslauthd::Plan{.reply = "220 mail.example ESMTP\r\n", .closes = false};
    };
    EXPECT_EQ(judge("alice"), kUnavailable);
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("YES"); };
    EXPECT_EQ(judge("alice"), kUnavailable);
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("NO saslauthd internal error"); };
    EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kNonsense, Outcome::kNonsense, Outcome::kTrouble));
}

TEST_F(SaslauthdClientTest, TheLongestPasswordGoesAndALongerOneIsRefusedUnasked) {
    EXPECT_EQ(judge("alice", std::string(256, 'x')), kAccepted);
    EXPECT_EQ(judge("alice", std::string(257, 'x')), kRefused);
    EXPECT_EQ(daemon_.requests.size(), 1U);
    EXPECT_EQ(outcomes_[1], Outcome::kPasswordTooLong);
    EXPECT_THAT(details_[1], HasSubstr("256"));
}

TEST_F(SaslauthdClientTest, HangingEndsAtTheDeadlineAndTheConnectionIsGone) {
    settings_.deadline = 50ms;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    make();
    run_for(1ms);
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 4; ++i) ask("alice");
    ASSERT_TRUE(run_until_all());
    ASSERT_TRUE(run_until([this] { return daemon_.lost == 4; }));
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_THAT(outcomes_, Each(Outcome::kDeadline));
    for (const Duration took : took_) {
        EXPECT_GE(took, 50ms);
        EXPECT_LT(took, 2s);
    }
}

TEST_F(SaslauthdClientTest, TrickledOctetsDoNotMoveTheDeadline) {
    settings_.deadline = 100ms;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    ask("alice");
    net::Timer trickle(loop_,
                       [&] { daemon_.release({.reply = std::string(1, '\0') + "\7O", .closes = false}); });
    trickle.start(60ms);
    ASSERT_TRUE(run_until_all());
    EXPECT_EQ(outcomes_.at(0), Outcome::kDeadline);
    EXPECT_LT(took_.at(0), 1s);
}

TEST_F(SaslauthdClientTest, NobodyListens) {
    daemon_.stop();
    EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kConnectFailed));
    EXPECT_THAT(details_, ElementsAre("Connection refused"));
    daemon_.listen();
    EXPECT_EQ(judge("alice"), kAccepted);
}

TEST_F(SaslauthdClientTest, MoreThanTheCapWaitInOrder) {
    settings_.max_connections = 3;
    settings_.max_waiting = 5;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    for (int i = 0; i < 9; ++i) ask("user" + std::to_string(i));
    EXPECT_EQ(client_->connections(), 3U);
    EXPECT_EQ(client_->waiting(), 5U);
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kQueueFull));
    ASSERT_TRUE(run_until([this] { return daemon_.requests.size() == 3; }));
    run_for(20ms);
    EXPECT_EQ(daemon_.accepted, 3);
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("OK"); };
    daemon_.release(FakeSaslauthd::say("NO"));
    ASSERT_TRUE(run_until_all());
    EXPECT_EQ(order_.at(0), 8U) << "the one for whom the queue was full";
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(daemon_.requests.at(i).at(0), "user" + std::to_string(i));
        EXPECT_THAT(answers_[i], ElementsAre(i < 3 ? kRefused : kAccepted));
    }
    EXPECT_THAT(answers_[8], ElementsAre(kUnavailable));
}

TEST_F(SaslauthdClientTest, WaitingCountsForTheDeadlineButNotAgainstTheDaemon) {
    settings_.deadline = 50ms;
    settings_.max_connections = 1;
    settings_.breaker_failures = 2;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    for (int i = 0; i < 10; ++i) ask("alice");
    std::this_thread::sleep_for(
        60ms);  // all are late before the first is looked at, however slow this machine
    ASSERT_TRUE(run_until_all());
    EXPECT_THAT(outcomes_, Each(Outcome::kDeadline));
    EXPECT_THAT(details_, ::testing::Contains("still waiting"));
    EXPECT_THAT(circuit_, IsEmpty());
    for (const Duration took : took_) EXPECT_LT(took, 2s);
}

TEST_F(SaslauthdClientTest, TheCircuitOpensAndOneProbeClosesIt) {
    settings_.breaker_pause = 50ms;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::Plan{}; };
    for (int i = 0; i < 5; ++i) EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_THAT(circuit_, ElementsAre(true));
    EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_EQ(outcomes_.back(), Outcome::kCircuitOpen);
    EXPECT_EQ(daemon_.accepted, 5);

    run_for(60ms);
    EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_EQ(outcomes_.back(), Outcome::kClosed);
    EXPECT_EQ(judge("alice"), kUnavailable);
    EXPECT_EQ(outcomes_.back(), Outcome::kCircuitOpen);

    run_for(60ms);
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    const std::size_t probe = ask("alice");
    const std::size_t other = ask("bob");
    ASSERT_TRUE(run_until([&] { return daemon_.requests.size() == 7 && !answers_[other].empty(); }));
    daemon_.release(FakeSaslauthd::say("NO"));
    ASSERT_TRUE(run_until_all());
    EXPECT_THAT(answers_[probe], ElementsAre(kRefused));
    EXPECT_THAT(answers_[other], ElementsAre(kUnavailable));
    daemon_.plan = [](const auto&) { return FakeSaslauthd::say("OK"); };
    EXPECT_EQ(judge("alice"), kAccepted);
    EXPECT_THAT(circuit_, ElementsAre(true, false));
}

TEST_F(SaslauthdClientTest, AnOpeningCircuitSendsTheWaitingAway) {
    settings_.max_connections = 2;
    settings_.breaker_failures = 2;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::Plan{}; };
    for (int i = 0; i < 50; ++i) ask("alice");
    ASSERT_TRUE(run_until_all());
    EXPECT_LE(daemon_.accepted, 3);
    EXPECT_GE(std::ranges::count(outcomes_, Outcome::kCircuitOpen), 47);
}

TEST_F(SaslauthdClientTest, ALongQueueBeforeADeadSocketNeedsNoStack) {
    settings_.max_connections = 1;
    settings_.max_waiting = 20000;
    settings_.breaker_failures = 100000;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    for (int i = 0; i < 20000; ++i) ask("alice");
    ASSERT_TRUE(run_until([this] { return daemon_.requests.size() == 1; }));
    daemon_.stop();
    daemon_.release(FakeSaslauthd::say("OK"));
    ASSERT_TRUE(run_until_all());
    EXPECT_EQ(std::ranges::count(outcomes_, Outcome::kConnectFailed), 19999);
}

TEST_F(SaslauthdClientTest, ManyAtOnceAndNoDescriptorIsLeft) {
    settings_.max_waiting = 5000;
    settings_.deadline = 60s;
    make();
    run_for(1ms);
    const std::size_t before = open_descriptors();
    daemon_.plan = [](const auto& request) {
        return FakeSaslauthd::say(request[0].ends_with('7') ? "NO" : "OK");
    };
    std::size_t most = 0;
    for (int i = 0; i < 3000; ++i) ask("user" + std::to_string(i));
    ASSERT_TRUE(run_until([&] {
        most = std::max(most, client_->connections());
        return order_.size() == asked_;
    }));
    run_for(5ms);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_LE(most, 32U);
    for (std::size_t i = 0; i < 3000; ++i)
        EXPECT_THAT(answers_[i], ElementsAre(i % 10 == 7 ? kRefused : kAccepted));
}

TEST_F(SaslauthdClientTest, AnEndingClientAnswersEverybody) {
    settings_.max_connections = 2;
    daemon_.plan = [](const auto&) { return FakeSaslauthd::hang(); };
    for (int i = 0; i < 5; ++i) ask("alice");
    run_for(5ms);
    client_.reset();
    ASSERT_TRUE(run_until_all());
    EXPECT_THAT(answers_, Each(ElementsAre(kUnavailable)));
    ASSERT_TRUE(run_until([this] { return daemon_.lost == 2; }));
}

TEST_F(SaslauthdClientTest, AnAnswerMayAskAgainAndEndTheClient) {
    make();
    bool is_over = false;
    client_->check("alice", Secret("secret"), loop_, [&](PasswordAnswer) {
        client_->check("alice", Secret("secret"), loop_, [&](PasswordAnswer answer) {
            EXPECT_EQ(answer, kAccepted);
            client_.reset();
            is_over = true;
        });
    });
    EXPECT_TRUE(run_until([&] { return is_over; }));
}

}  // namespace
}  // namespace gatepost::backends

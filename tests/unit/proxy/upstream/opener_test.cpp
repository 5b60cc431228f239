#include "proxy/upstream/opener.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/smtp/auth_client.h"
#include "tests/unit/proxy/upstream/fake_mta.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using namespace std::chrono_literals;
using test::FakeMta;
using Why = OpeningFailure::Why;

class FakeAuthClient final : public smtp::AuthClient {
  public:
    std::optional<Start> begin(std::string_view announced, bool /*is_secured*/) const override {
        if (announced.empty()) return std::nullopt;
        return Start{.mechanism = "PLAIN", .initial_response = Secret("abc")};
    }
    std::optional<Secret> answer(std::string_view, int, ByteView) const override { return std::nullopt; }
};

std::string name_of(Why why) {
    switch (why) {
        case Why::kUnreachable: return "unreachable";
        case Why::kNoAddress: return "no address";
        case Why::kTimedOut: return "timed out";
        case Why::kTlsFailed: return "TLS failed";
        case Why::kRefusedNow: return "refused now";
        case Why::kRefusedForGood: return "refused for good";
        case Why::kAuthFailed: return "AUTH failed";
        case Why::kNotHonoured: return "not honoured";
        case Why::kNonsense: return "nonsense";
        case Why::kLost: return "lost";
        case Why::kBusy: return "busy";
        case Why::kUnsayable: return "unsayable";
    }
    return "?";
}

class OpenerTest : public test::LoopTest {
  protected:
    void TearDown() override {
        opener_.reset();
        outcome_.reset();
        EXPECT_TRUE(run_until([&] { return mta_.open() == 0; }));
        EXPECT_EQ(loop_.residents(), 0U);
    }

    void make() {
        outcome_.reset();
        opener_ = std::make_unique<Opener>(loop_, settings_, [this](Opener::Outcome outcome) {
            EXPECT_FALSE(is_inside_) << "never inside a call";
            outcome_ = std::move(outcome);
            had_talked_ = opener_->has_talked();
            opener_.reset();
        });
    }
    void begin(Opener::Introduction introduction = {}, Duration timeout = 2s,
               const std::string& header = "") {
        make();
        is_inside_ = true;
        const auto whole = [&](const net::SocketAddress&) { return header; };
        opener_->open(server_of(mta_), header.empty() ? Opener::Header() : Opener::Header(whole),
                      std::move(introduction), timeout);
        is_inside_ = false;
    }
    std::string end() {
        if (!run_until([&] { return outcome_.has_value(); })) return "nothing";
        return *outcome_ ? "open" : name_of(outcome_->error().why) + ", " + outcome_->error().what;
    }
    std::string open(Opener::Introduction introduction = {}, Duration timeout = 2s,
                     const std::string& header = "") {
        begin(std::move(introduction), timeout, header);
        return end();
    }
    std::string introduce(const Opener::Introduction& introduction) {
        Opened opened = std::move(**outcome_);
        make();
        is_inside_ = true;
        opener_->introduce(std::move(opened), introduction, 2s);
        is_inside_ = false;
        return end();
    }
    static Result<std::string> xclient(const smtp::Capabilities& able) {
        EXPECT_EQ(able.xclient, "LOGIN ADDR");
        return "XCLIENT LOGIN=ann\r\n";
    }

    FakeMta mta_{loop_};
    OpenerSettings settings_{.opening = {.our_name = "gw.test"}};
    std::unique_ptr<Opener> opener_;
    std::optional<Opener::Outcome> outcome_;
    bool had_talked_ = false;
    bool is_inside_ = false;
};

TEST_F(OpenerTest, OpensAndHandsOver) {
    EXPECT_EQ(open(), "open");
    EXPECT_TRUE(had_talked_);
    EXPECT_TRUE((*outcome_)->transport->is_open());
    EXPECT_TRUE((*outcome_)->capabilities.eight_bit_mime);
    EXPECT_EQ((*outcome_)->tls_version(), "");
    EXPECT_THAT(mta_.heard, ElementsAre("EHLO gw.test"));
}

TEST_F(OpenerTest, TheProxyHeaderGoesFirst) {
    EXPECT_EQ(open({}, 2s, "PROXY UNKNOWN\r\n"), "open");
    EXPECT_THAT(mta_.heard, ElementsAre("PROXY UNKNOWN", "EHLO gw.test"));
}

TEST_F(OpenerTest, ClosedPortIsUnreachable) {
    mta_.shut();
    EXPECT_EQ(open(), "unreachable, connection failed");
    EXPECT_FALSE(had_talked_);
}

TEST_F(OpenerTest, ASourceOfTheOtherFamilyIsNoWayThere) {
    settings_.source = net::SocketAddress::from_ip("::1", 0);
    EXPECT_EQ(open(), "unreachable, connection failed");
}

TEST_F(OpenerTest, LeavesFromItsSource) {
    settings_.source = net::SocketAddress::from_ip("127.0.0.9", 0);
    EXPECT_EQ(open(), "open");
    EXPECT_EQ(net::local_address((*outcome_)->transport->fd()).ip_string(), "127.0.0.9");
}

TEST_F(OpenerTest, SilenceEndsWithTheTimeout) {
    mta_.answers[""] = "";
    EXPECT_EQ(open({}, 30ms), "timed out, no answer in time");
    EXPECT_FALSE(had_talked_);
    mta_.answers[""] = "220 mta\r\n";
    mta_.answers["EHLO"] = "250-mta\r\n";
    EXPECT_EQ(open({}, 30ms), "timed out, no answer in time");
    EXPECT_TRUE(had_talked_);
}

TEST_F(OpenerTest, LossIsToldInEachState) {
    settings_.opening.auth = std::make_shared<FakeAuthClient>();
    const std::string hang_up(1, FakeMta::kHangUp);
    const auto open_without = [&](const std::string& word) {
        const std::string before = std::exchange(mta_.answers[word], hang_up);
        const std::string told = open(xclient);
        mta_.answers[word] = before;
        return told;
    };
    mta_.answers["EHLO"] = "250-mta\r\n250-XCLIENT LOGIN ADDR\r\n250 AUTH PLAIN\r\n";
    mta_.answers["AUTH"] = "235 ok\r\n";
    EXPECT_EQ(open_without(""), "unreachable, connection closed");
    EXPECT_FALSE(had_talked_);
    for (const std::string word : {"EHLO", "AUTH", "XCLIENT"})
        EXPECT_EQ(open_without(word), "lost, connection closed") << word;
    EXPECT_EQ(open(xclient), "open");
}

TEST_F(OpenerTest, RefusalsAreTold) {
    mta_.answers[""] = "554 go away\r\n";
    EXPECT_EQ(open(), "refused for good, refused: 554 go away");
    mta_.answers[""] = "421 busy\r\n";
    EXPECT_EQ(open(), "refused now, refused: 421 busy");
    mta_.answers[""] = "220 mta\r\n";
    mta_.answers["EHLO"] = "451 later\r\n";
    EXPECT_EQ(open(), "refused now, refused: 451 later");
}

TEST_F(OpenerTest, WhatStandsBehindAnAnswerIsNonsense) {
    mta_.answers[""] = "220 mta\r\n250 and so on\r\n";
    EXPECT_EQ(open(), "nonsense, an answer that cannot be");
    mta_.answers[""] = "220 mta\r\n";
    mta_.answers["EHLO"] = "250 mta\r\n2";
    EXPECT_EQ(open(), "nonsense, an answer that cannot be");
    EXPECT_EQ(mta_.heard.back(), "EHLO gw.test");
}

TEST_F(OpenerTest, WhatIsConfiguredIsHadOrSaid) {
    settings_.opening.start_tls = smtp::StartTls::kRequired;
    EXPECT_EQ(open(), "TLS failed, STARTTLS is required, and not to be had");
    settings_.opening.start_tls = smtp::StartTls::kNever;
    settings_.opening.needs_auth_parameter = true;
    EXPECT_EQ(open(), "not honoured, AUTH, which mail_auth needs, is not announced");
    settings_.opening.needs_auth_parameter = false;
    settings_.opening.auth = std::make_shared<FakeAuthClient>();
    EXPECT_EQ(open(), "AUTH failed, AUTH is not announced");
    mta_.answers["EHLO"] = "250-mta\r\n250 AUTH PLAIN\r\n";
    mta_.answers["AUTH"] = "535 no\r\n";
    EXPECT_EQ(open(), "AUTH failed, AUTH PLAIN was refused: 535 no");
    EXPECT_EQ(mta_.heard.back(), "AUTH PLAIN YWJj");
}

TEST_F(OpenerTest, TlsWithAServerThatHasNoneFails) {
    auto context = net::TlsClientContext::make({.ca = {}, .verifies = false, .own = {}});
    ASSERT_TRUE(context);
    settings_.opening.is_tls = true;
    settings_.tls = std::move(*context);
    EXPECT_THAT(open(), StartsWith("TLS failed, TLS failed: "));
}

TEST_F(OpenerTest, TellsWhoTheClientIsOnce) {
    EXPECT_EQ(open(xclient), "open");
    EXPECT_THAT(mta_.heard, ElementsAre("EHLO gw.test", "XCLIENT LOGIN=ann", "EHLO gw.test"));
    mta_.answers["XCLIENT"] = "550 not you\r\n";
    EXPECT_EQ(open(xclient), "not honoured, XCLIENT was refused: 550 not you");
    EXPECT_EQ(open([](const auto&) { return std::unexpected(Error{"it cannot be said"}); }),
              "unsayable, it cannot be said");
}

TEST_F(OpenerTest, TellsANewClientOnAConnectionThatIsOpen) {
    EXPECT_EQ(open(), "open");
    mta_.answers["EHLO"] = "250-mta\r\n250-DSN\r\n250 XCLIENT LOGIN ADDR\r\n";
    EXPECT_EQ(introduce(xclient), "open");
    EXPECT_TRUE((*outcome_)->capabilities.dsn);
    EXPECT_EQ(introduce(xclient), "open");
    EXPECT_THAT(mta_.heard, ElementsAre("EHLO gw.test", "XCLIENT LOGIN=ann", "EHLO gw.test",
                                        "XCLIENT LOGIN=ann", "EHLO gw.test"));
    EXPECT_EQ(introduce({}), "open") << "nothing is to be said";
    EXPECT_EQ(introduce([](const auto&) { return std::unexpected(Error{"it cannot be said"}); }),
              "unsayable, it cannot be said");
    EXPECT_EQ(mta_.heard.size(), 5U);
    EXPECT_EQ(mta_.accepted, 1U);
}

TEST_F(OpenerTest, AnIntroductionMayBeRefusedOrLost) {
    for (const std::string answer : {"550 no\r\n", "421 idle\r\n", "\x01", "what?\r\n"}) {
        EXPECT_EQ(open(), "open");
        mta_.answers["XCLIENT"] = answer;
        EXPECT_NE(introduce(xclient), "open") << answer;
    }
    EXPECT_EQ(open(), "open");
    mta_.hang_up();
    EXPECT_EQ(introduce(xclient), "lost, connection closed");
}

TEST_F(OpenerTest, DestroyedWhileOpeningItSaysNothing) {
    for (const std::string word : {"", "EHLO", "XCLIENT"}) {
        const std::string before = std::exchange(mta_.answers[word], "");
        const std::size_t accepted = mta_.accepted + 1;
        const std::size_t lines = mta_.heard.size() + (word.empty() ? 0 : word == "EHLO" ? 1 : 2);
        begin(xclient);
        EXPECT_TRUE(run_until([&] { return mta_.accepted == accepted && mta_.heard.size() == lines; }));
        EXPECT_EQ(mta_.open(), 1U);
        opener_.reset();
        EXPECT_TRUE(run_until([&] { return mta_.open() == 0; })) << word;
        EXPECT_FALSE(outcome_);
        mta_.answers[word] = before;
    }
}

TEST_F(OpenerTest, DestroyedBeforeItCouldSayHowItEnded) {
    settings_.source = net::SocketAddress::from_ip("::1", 0);
    begin();
    opener_.reset();
    run_for(10ms);
    EXPECT_FALSE(outcome_);
}

}  // namespace
}  // namespace gatepost::upstream

// Gatepost's own AUTH in an opening, with a client whose answers can be told apart.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/smtp/upstream_opening.h"
#include "tests/unit/proxy/smtp/opening_story.h"

namespace gatepost::smtp {
namespace {

/// Speaks `mechanism` whatever is announced, as long as anything is.
class FakeAuthClient final : public AuthClient {
  public:
    FakeAuthClient(std::string mechanism, std::optional<std::string> initial)
        : mechanism_(std::move(mechanism)), initial_(std::move(initial)) {}

    std::optional<Start> begin(std::string_view announced, bool is_secured) const override {
        was_secured = is_secured;
        if (!announced.contains(mechanism_)) return std::nullopt;
        Start start{.mechanism = mechanism_, .initial_response = std::nullopt};
        if (initial_) start.initial_response.emplace(*initial_);
        return start;
    }
    /// "<step>:<challenge>", and "" for "nothing".
    std::optional<Secret> answer(std::string_view mechanism, int step, ByteView challenge) const override {
        EXPECT_EQ(mechanism, mechanism_);
        if (challenge == "impossible") return std::nullopt;
        if (challenge == "nothing") return Secret("");
        return Secret(std::to_string(step) + ':' + std::string(challenge));
    }

    mutable bool was_secured = false;

  private:
    const std::string mechanism_;
    const std::optional<std::string> initial_;
};

const std::string kGreeting = "220 mx\r\n";
const std::string kEhlo = "250-mx\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n";

/// After greeting and EHLO, without what is said there.
std::string story(const std::string& mechanism, std::optional<std::string> initial,
                  std::vector<std::string> answers) {
    answers.insert(answers.begin(), {kGreeting, kEhlo});
    const OpeningSettings settings{.our_name = "gw",
                                   .auth = std::make_shared<FakeAuthClient>(mechanism, std::move(initial))};
    const std::string told = test::story(settings, answers);
    EXPECT_TRUE(told.starts_with("> EHLO gw;")) << told;
    return told.substr(std::min(told.size(), std::string_view("> EHLO gw;").size()));
}

TEST(UpstreamOpeningAuth, PlainGoesWithItsCommand) {
    EXPECT_EQ(story("PLAIN", "abc", {"235 ok\r\n"}), "> AUTH PLAIN YWJj;ready esmtp;");
    EXPECT_EQ(story("PLAIN", "", {"235 ok\r\n"}), "> AUTH PLAIN =;ready esmtp;");
}

TEST(UpstreamOpeningAuth, ChallengesAreAnsweredInTheirOrder) {
    EXPECT_EQ(story("LOGIN", std::nullopt, {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"}),
              "> AUTH LOGIN;> MDpVc2VybmFtZTo=;> MTpQYXNzd29yZDo=;ready esmtp;");
    EXPECT_EQ(story("CRAM-MD5", std::nullopt, {"334 PDFAbXg+\r\n", "235 ok\r\n"}),
              "> AUTH CRAM-MD5;> MDo8MUBteD4=;ready esmtp;");
    EXPECT_EQ(story("LOGIN", std::nullopt, {"334 \r\n", "235 ok\r\n"}), "> AUTH LOGIN;> MDo=;ready esmtp;");
    EXPECT_EQ(story("LOGIN", std::nullopt, {"334 bm90aGluZw==\r\n"}), "> AUTH LOGIN;> =;");
}

TEST(UpstreamOpeningAuth, WhatIsTooLongForItsLineWaitsForTheChallenge) {
    // "AUTH PLAIN " and CRLF are 13 of 512 octets, and base64 comes in fours.
    EXPECT_EQ(story("PLAIN", std::string(372, 'a'), {"235 ok\r\n"}).size(),
              std::string("> AUTH PLAIN ;ready esmtp;").size() + 496);
    const std::string late = story("PLAIN", std::string(373, 'a'), {"334 \r\n", "235 ok\r\n"});
    EXPECT_TRUE(late.starts_with("> AUTH PLAIN;> YWFh")) << late;
    EXPECT_TRUE(late.ends_with(";ready esmtp;"));
    EXPECT_EQ(late.size(), std::string("> AUTH PLAIN;> ;ready esmtp;").size() + 500);
}

TEST(UpstreamOpeningAuth, ARefusalIsAFailureThatSaysHow) {
    EXPECT_EQ(story("PLAIN", "abc", {"535 5.7.8 no\r\n"}),
              "> AUTH PLAIN YWJj;AUTH failed: AUTH PLAIN was refused: 535 5.7.8 no;");
    EXPECT_EQ(story("LOGIN", std::nullopt, {"334 VXNlcm5hbWU6\r\n", "454 later\r\n"}),
              "> AUTH LOGIN;> MDpVc2VybmFtZTo=;AUTH failed: AUTH LOGIN was refused: 454 later;");
    EXPECT_EQ(story("PLAIN", "abc", {"421 bye\r\n"}), "> AUTH PLAIN YWJj;refused 421 bye;");
}

TEST(UpstreamOpeningAuth, AChallengeThatCannotBeEndsIt) {
    for (const std::string answer : {"334 %%%\r\n", "334 YWJ\r\n", "334 aW1wb3NzaWJsZQ==\r\n"}) {
        EXPECT_EQ(story("CRAM-MD5", std::nullopt, {answer}),
                  "> AUTH CRAM-MD5;AUTH failed: AUTH CRAM-MD5: a challenge that cannot be;");
    }
}

TEST(UpstreamOpeningAuth, OtherAnswersAreNonsense) {
    for (const std::string answer : {"250 ok\r\n", "220 ok\r\n", "354 ok\r\n", "hello\r\n"})
        EXPECT_EQ(story("PLAIN", "abc", {answer}), "> AUTH PLAIN YWJj;nonsense;");
    const OpeningSettings settings{.our_name = "gw",
                                   .auth = std::make_shared<FakeAuthClient>("PLAIN", "abc")};
    EXPECT_EQ(test::story(settings, {kGreeting, "235 already\r\n"}), "> EHLO gw;nonsense;");
    EXPECT_EQ(test::story(settings, {"235 already\r\n"}), "nonsense;");
    EXPECT_EQ(test::story(settings, {kGreeting, kEhlo, "235 ok\r\n", "235 ok\r\n"}),
              "> EHLO gw;> AUTH PLAIN YWJj;ready esmtp;nonsense;");
}

TEST(UpstreamOpeningAuth, MustBeAnnounced) {
    const OpeningSettings settings{.our_name = "gw",
                                   .auth = std::make_shared<FakeAuthClient>("PLAIN", "abc")};
    EXPECT_EQ(test::story(settings, {kGreeting, "250 mx\r\n"}),
              "> EHLO gw;AUTH failed: AUTH is not announced;");
    EXPECT_EQ(test::story(settings, {kGreeting, "502 what?\r\n", "250 mx\r\n"}),
              "> EHLO gw;> HELO gw;AUTH failed: AUTH is not announced;");
    EXPECT_EQ(test::story(settings, {kGreeting, "250-mx\r\n250 AUTH GSSAPI\r\n"}),
              "> EHLO gw;AUTH failed: AUTH: none of PLAIN, LOGIN and CRAM-MD5 is announced;");
}

TEST(UpstreamOpeningAuth, KnowsWhetherTheConnectionIsSecured) {
    const auto client = std::make_shared<FakeAuthClient>("PLAIN", "abc");
    for (const bool is_tls : {false, true}) {
        EXPECT_EQ(test::story({.our_name = "gw", .is_tls = is_tls, .auth = client}, {kGreeting, kEhlo}),
                  "> EHLO gw;> AUTH PLAIN YWJj;");
        EXPECT_EQ(client->was_secured, is_tls);
    }
    const OpeningSettings settings{.our_name = "gw", .start_tls = StartTls::kRequired, .auth = client};
    EXPECT_EQ(
        test::story(settings, {kGreeting, "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n", kEhlo, "235 ok\r\n"}),
        "> EHLO gw;> STARTTLS;TLS now;> EHLO gw;> AUTH PLAIN YWJj;ready esmtp;");
    EXPECT_TRUE(client->was_secured);
}

TEST(UpstreamOpeningAuth, IsNotDoneASecondTimeForANewClient) {
    const OpeningSettings settings{.our_name = "gw",
                                   .auth = std::make_shared<FakeAuthClient>("PLAIN", "abc")};
    UpstreamOpening opening(settings);
    EXPECT_EQ(test::show(opening, {kGreeting, kEhlo, "235 ok\r\n"}),
              "> EHLO gw;> AUTH PLAIN YWJj;ready esmtp;");
    std::string out;
    opening.introduce("XCLIENT LOGIN=ann\r\n", out);
    EXPECT_EQ(test::show(opening, {kGreeting, kEhlo}), "> EHLO gw;ready esmtp;");
}

}  // namespace
}  // namespace gatepost::smtp

#include "proxy/smtp/upstream_opening.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/proxy/smtp/opening_story.h"

namespace gatepost::smtp {
namespace {

using Event = UpstreamOpening::Event;
using State = UpstreamOpening::State;

OpeningSettings with(StartTls start_tls) {
    return {.our_name = "gw", .start_tls = start_tls};
}

std::string story(const std::vector<std::string>& answers, StartTls start_tls = StartTls::kNever) {
    return test::story(with(start_tls), answers);
}

TEST(UpstreamOpening, SaysEhloAndIsReady) {
    EXPECT_EQ(story({"220 mx ESMTP\r\n", "250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n"}),
              "> EHLO gw;ready esmtp;");
    EXPECT_EQ(story({"220-mx\r\n220 ESMTP\r\n", "250 mx\r\n"}), "> EHLO gw;ready esmtp;");
}

TEST(UpstreamOpening, TakesTheKeywordsButNotTheGreeting) {
    const OpeningSettings settings = with(StartTls::kNever);
    UpstreamOpening opening(settings);
    EXPECT_EQ(test::show(opening, {"220 x\r\n", "250-PIPELINING\r\n250-DSN\r\n250 SIZE 77\r\n"}),
              "> EHLO gw;ready esmtp;");
    EXPECT_FALSE(opening.capabilities().pipelining) << "a host may be called so";
    EXPECT_TRUE(opening.capabilities().dsn);
    EXPECT_EQ(opening.capabilities().size_limit, 77U);
}

TEST(UpstreamOpening, C3_FallsBackToHelo) {
    EXPECT_EQ(story({"220 old\r\n", "502 what?\r\n", "250 old\r\n"}), "> EHLO gw;> HELO gw;ready;");
    EXPECT_EQ(story({"220 old\r\n", "500-what?\r\n500 no\r\n", "250 old\r\n"}), "> EHLO gw;> HELO gw;ready;");
}

const std::string kGreeting = "220 mx\r\n";
const std::string kOffersTls = "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

TEST(UpstreamOpening, AsksForTlsAndSaysEhloAgain) {
    const std::vector<std::string> answers = {kGreeting, kOffersTls, "220 go\r\n",
                                              "250-mx\r\n250 STARTTLS\r\n"};
    for (const StartTls wish : {StartTls::kIfOffered, StartTls::kRequired})
        EXPECT_EQ(story(answers, wish), "> EHLO gw;> STARTTLS;TLS now;> EHLO gw;ready esmtp;");
    EXPECT_EQ(story({kGreeting, kOffersTls}), "> EHLO gw;ready esmtp;");
}

TEST(UpstreamOpening, ForgetsWhatWasSaidBeforeTls) {
    const OpeningSettings settings = with(StartTls::kRequired);
    UpstreamOpening opening(settings);
    (void)test::show(opening, {kGreeting, kOffersTls, "220 go\r\n"});
    EXPECT_EQ(test::show(opening, {"250-mx\r\n250 DSN\r\n"}), "ready esmtp;");
    EXPECT_FALSE(opening.capabilities().pipelining);
    EXPECT_TRUE(opening.capabilities().dsn);
}

TEST(UpstreamOpening, GoesOnInTheClearOnlyWhereItMay) {
    const std::vector<std::vector<std::string>> cases = {{kGreeting, "250-mx\r\n250 DSN\r\n"},
                                                         {kGreeting, "502 EHLO?\r\n", "250 mx\r\n"},
                                                         {kGreeting, kOffersTls, "454 not now\r\n"},
                                                         {kGreeting, kOffersTls, "554 never\r\n"}};
    for (const auto& answers : cases) {
        EXPECT_TRUE(story(answers, StartTls::kIfOffered).contains("ready")) << answers.back();
        EXPECT_TRUE(story(answers, StartTls::kRequired).ends_with("no TLS;")) << answers.back();
    }
    for (const std::string answer : {"250 ok\r\n", "354 go\r\n"})
        EXPECT_TRUE(story({kGreeting, kOffersTls, answer}, StartTls::kIfOffered).ends_with("nonsense;"));
    EXPECT_TRUE(
        story({kGreeting, kOffersTls, "421 bye\r\n"}, StartTls::kIfOffered).ends_with("refused 421 bye;"));
}

TEST(UpstreamOpening, NothingIsAwaitedDuringTheHandshake) {
    const OpeningSettings settings = with(StartTls::kRequired);
    UpstreamOpening opening(settings);
    std::string out;
    (void)opening.next(kGreeting, out);
    (void)opening.next(kOffersTls, out);
    EXPECT_EQ(opening.next("220 go\r\n", out).event, Event::kStartTls);
    EXPECT_EQ(opening.state(), State::kHandshake);
    EXPECT_EQ(opening.next("250 injected\r\n", out).event, Event::kNonsense);
}

TEST(UpstreamOpening, RefusalsAreTold) {
    EXPECT_EQ(story({"554 go away\r\n"}), "refused 554 go away;");
    EXPECT_EQ(story({"450 later\r\n"}), "refused 450 later;");
    EXPECT_EQ(story({kGreeting, "451 later\r\n"}), "> EHLO gw;refused 451 later;");
    EXPECT_EQ(story({kGreeting, "502 no\r\n", "502 no\r\n"}), "> EHLO gw;> HELO gw;refused 502 no;");
    EXPECT_EQ(story({kGreeting, "502 no\r\n", "451 no\r\n"}), "> EHLO gw;> HELO gw;refused 451 no;");
}

TEST(UpstreamOpening, GoingAwayIsARefusalInEveryState) {
    EXPECT_EQ(story({"421 busy\r\n"}), "refused 421 busy;");
    EXPECT_EQ(story({kGreeting, "421 busy\r\n"}), "> EHLO gw;refused 421 busy;");
    EXPECT_EQ(story({kGreeting, "502 no\r\n", "421 busy\r\n"}), "> EHLO gw;> HELO gw;refused 421 busy;");
    EXPECT_EQ(story({kGreeting, kOffersTls, "421 idle\r\n"}), "> EHLO gw;ready esmtp;refused 421 idle;");
}

TEST(UpstreamOpening, AnswersThatCannotBeAreNonsense) {
    EXPECT_EQ(story({"250 hello\r\n"}), "nonsense;");
    EXPECT_EQ(story({"354 go\r\n"}), "nonsense;");
    EXPECT_EQ(story({"SSH-2.0-OpenSSH\r\n"}), "nonsense;");
    EXPECT_EQ(story({kGreeting, "220 x\r\n"}), "> EHLO gw;nonsense;");
    EXPECT_EQ(story({kGreeting, "354 x\r\n"}), "> EHLO gw;nonsense;");
    EXPECT_EQ(story({kGreeting, "334 x\r\n"}), "> EHLO gw;nonsense;");
    EXPECT_EQ(story({kGreeting, "250 x\r\n", "250 who asked?\r\n"}), "> EHLO gw;ready esmtp;nonsense;");
}

/// Whoever stands between could say it before TLS, to be believed after it; and in the clear nobody has asked
/// for it either.
TEST(UpstreamOpening, OctetsBehindAnyAnswerAreNonsense) {
    const std::vector<std::vector<std::string>> cases = {
        {"220 mx\r\n"},
        {kGreeting, "250 mx\r\n"},
        {kGreeting, "502 what?\r\n"},
        {kGreeting, "502 what?\r\n", "250 mx\r\n"},
        {kGreeting, kOffersTls},
        {kGreeting, kOffersTls, "220 go\r\n"},
        {kGreeting, kOffersTls, "454 no\r\n"},
        {kGreeting, kOffersTls, "220 go\r\n", "250 mx\r\n"},
        {"554 no\r\n"},
    };
    for (std::vector<std::string> answers : cases) {
        for (const std::string behind : {"2", "\r\n", "250 injected\r\n", "\x16\x03\x01"}) {
            const OpeningSettings settings = with(StartTls::kIfOffered);
            UpstreamOpening opening(settings);
            for (std::size_t i = 0; i + 1 < answers.size(); ++i) (void)test::show(opening, {answers[i]});
            std::string out;
            EXPECT_EQ(opening.next(answers.back() + behind, out).event, Event::kNonsense) << answers.back();
            EXPECT_EQ(opening.state(), State::kFailed);
            EXPECT_EQ(out, "");
        }
    }
}

TEST(UpstreamOpening, NothingIsBelievedAfterAFailure) {
    const OpeningSettings settings = with(StartTls::kNever);
    UpstreamOpening opening(settings);
    std::string out;
    EXPECT_EQ(opening.next("nonsense\r\n", out).event, Event::kNonsense);
    EXPECT_EQ(opening.state(), State::kFailed);
    const UpstreamOpening::Result result = opening.next(kGreeting, out);
    EXPECT_EQ(result.event, Event::kNone);
    EXPECT_EQ(result.consumed, kGreeting.size()) << "or a caller would wait for ever";
    EXPECT_EQ(out, "");
}

TEST(UpstreamOpening, WhatIsConfiguredMustBeAnnounced) {
    using Xclient = OpeningSettings::Xclient;
    const auto told = [](const std::string& keywords, Xclient xclient, bool auth_parameter) {
        return test::story({.our_name = "gw", .xclient = xclient, .needs_auth_parameter = auth_parameter},
                           {kGreeting, "250-mx\r\n" + keywords + "250 DSN\r\n"});
    };
    const std::string ready = "> EHLO gw;ready esmtp;";
    EXPECT_EQ(told("250-XCLIENT NAME ADDR LOGIN\r\n", Xclient::kClient, false), ready);
    EXPECT_EQ(told("250-XCLIENT NAME LOGIN\r\n", Xclient::kClient, false),
              "> EHLO gw;not honoured: XCLIENT with ADDR is not announced;");
    EXPECT_EQ(told("", Xclient::kClient, false),
              "> EHLO gw;not honoured: XCLIENT with ADDR is not announced;");
    EXPECT_EQ(told("250-XCLIENT NAME ADDR LOGIN\r\n", Xclient::kLogin, false), ready);
    EXPECT_EQ(told("250-XCLIENT NAME ADDR\r\n", Xclient::kLogin, false),
              "> EHLO gw;not honoured: XCLIENT with LOGIN is not announced;");
    EXPECT_EQ(told("250-AUTH PLAIN\r\n", Xclient::kNone, true), ready);
    EXPECT_EQ(told("", Xclient::kNone, true),
              "> EHLO gw;not honoured: AUTH, which mail_auth needs, is not announced;");
}

constexpr std::string_view kXclient = "XCLIENT LOGIN=ann\r\n";

TEST(UpstreamOpening, IntroducesAClient) {
    const auto told = [](const std::vector<std::string>& answers) {
        const OpeningSettings settings = with(StartTls::kRequired);
        return test::story(settings, answers, [](UpstreamOpening& opening, std::string& out) {
            Capabilities able;
            able.esmtp = able.starttls = true;
            able.xclient = "LOGIN";
            opening.resume(able);
            EXPECT_EQ(opening.state(), State::kReady);
            EXPECT_EQ(opening.capabilities(), able);
            opening.introduce(std::string(kXclient), out);
        });
    };
    EXPECT_EQ(told({kGreeting, kOffersTls}), "> XCLIENT LOGIN=ann;> EHLO gw;ready esmtp;")
        << "no STARTTLS a second time";
    EXPECT_EQ(told({kGreeting, "250 mx\r\n"}), "> XCLIENT LOGIN=ann;> EHLO gw;ready esmtp;");
    EXPECT_EQ(told({kGreeting, "451 later\r\n"}), "> XCLIENT LOGIN=ann;> EHLO gw;refused 451 later;");
    EXPECT_EQ(told({"550 insufficient authorization\r\n"}),
              "> XCLIENT LOGIN=ann;not honoured: XCLIENT was refused: 550 insufficient authorization;");
    EXPECT_EQ(told({"250 ok\r\n"}), "> XCLIENT LOGIN=ann;not honoured: XCLIENT was refused: 250 ok;");
    EXPECT_EQ(told({"421 idle\r\n"}), "> XCLIENT LOGIN=ann;refused 421 idle;");
    EXPECT_EQ(told({"whatever\r\n"}), "> XCLIENT LOGIN=ann;nonsense;");
}

TEST(UpstreamOpening, ANewClientIsToldWhatIsAnnouncedToHim) {
    const OpeningSettings settings = with(StartTls::kNever);
    UpstreamOpening opening(settings);
    EXPECT_EQ(test::show(opening, {kGreeting, "250-mx\r\n250-DSN\r\n250 XCLIENT ADDR\r\n"}),
              "> EHLO gw;ready esmtp;");
    std::string out;
    opening.introduce("XCLIENT ADDR=192.0.2.1\r\n", out);
    EXPECT_EQ(out, "XCLIENT ADDR=192.0.2.1\r\n");
    EXPECT_EQ(test::show(opening, {kGreeting, "250-mx\r\n250 PIPELINING\r\n"}), "> EHLO gw;ready esmtp;");
    EXPECT_TRUE(opening.capabilities().pipelining);
    EXPECT_FALSE(opening.capabilities().dsn);
    out.clear();
    opening.introduce("XCLIENT ADDR=192.0.2.2\r\n", out);
    EXPECT_EQ(test::show(opening, {kGreeting, "502 what?\r\n", "250 mx\r\n"}), "> EHLO gw;> HELO gw;ready;");
}

}  // namespace
}  // namespace gatepost::smtp

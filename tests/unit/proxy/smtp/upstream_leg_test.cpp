#include "proxy/smtp/upstream_leg.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/proxy/smtp/at_every_split.h"

namespace gatepost::smtp {
namespace {

using test::Pending;
using test::Pieces;
using Event = UpstreamLeg::Event;

std::string event_name(const UpstreamLeg& leg, Event event) {
    const std::string reply =
        ' ' + std::to_string(leg.reply().code) + ' ' + printable(leg.reply().text) + ';';
    switch (event) {
        case Event::kNone: return "";
        case Event::kReady: return leg.capabilities().esmtp ? "ready esmtp;" : "ready;";
        case Event::kStartTls: return "TLS now;";
        case Event::kNoTls: return "no TLS;";
        case Event::kReply: return std::string(to_string(leg.answered())) + reply;
        case Event::kRefused: return "refused" + reply;
        case Event::kGoingAway: return "going away" + reply;
        case Event::kNonsense: return "nonsense;";
    }
    return "?";
}

/// What the leg sends ("> …") and says. Once ready, it awaits the answers to `sent`; a handshake ends at
/// once.
std::string story(ByteView octets, const std::vector<Awaited>& sent = {},
                  StartTls start_tls = StartTls::kNever) {
    return test::story_at_every_split(octets, [&](const Pieces& pieces) {
        UpstreamLeg leg("gate.example", start_tls);
        Pending pending;
        std::string told;
        for (const ByteView piece : pieces) {
            pending.add(piece);
            while (!pending.view().empty()) {
                std::string out;
                const UpstreamLeg::Result result = leg.next(pending.view(), out);
                pending.consume(result.consumed);
                if (!out.empty()) told += "> " + out.substr(0, out.size() - 2) + ';';
                told += event_name(leg, result.event);
                if (result.event == Event::kStartTls) {
                    out.clear();
                    leg.secured(out);
                    told += "> " + out.substr(0, out.size() - 2) + ';';
                }
                if (leg.state() == UpstreamLeg::State::kFailed) return told;
                if (result.event == Event::kReady) {
                    for (const Awaited awaited : sent) leg.await(awaited);
                }
                if (result.event == Event::kNone && out.empty()) break;
            }
        }
        return told;
    });
}

TEST(UpstreamLeg, SaysEhloAndIsReady) {
    EXPECT_EQ(story("220 mx ESMTP\r\n250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n"),
              "> EHLO gate.example;ready esmtp;");
    EXPECT_EQ(story("220-mx\r\n220 ESMTP\r\n250 mx\r\n"), "> EHLO gate.example;ready esmtp;");
}

TEST(UpstreamLeg, TakesTheKeywordsButNotTheGreeting) {
    UpstreamLeg leg("g");
    std::string out;
    (void)leg.next("220 x\r\n", out);
    EXPECT_EQ(leg.next("250-PIPELINING\r\n250-DSN\r\n250 SIZE 77\r\n", out).event, Event::kReady);
    EXPECT_FALSE(leg.capabilities().pipelining) << "a host may be called so";
    EXPECT_TRUE(leg.capabilities().dsn);
    EXPECT_EQ(leg.capabilities().size_limit, 77U);
}

TEST(UpstreamLeg, C3_FallsBackToHelo) {
    EXPECT_EQ(story("220 old\r\n502 what?\r\n250 old\r\n"), "> EHLO gate.example;> HELO gate.example;ready;");
    EXPECT_EQ(story("220 old\r\n500-what?\r\n500 no\r\n250 old\r\n"),
              "> EHLO gate.example;> HELO gate.example;ready;");
}

constexpr std::string_view kOffersTls = "220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

TEST(UpstreamLeg, AsksForTlsAndSaysEhloAgain) {
    const std::string octets = std::string(kOffersTls) + "220 go\r\n250-mx\r\n250 STARTTLS\r\n";
    for (const StartTls wish : {StartTls::kIfOffered, StartTls::kRequired}) {
        EXPECT_EQ(story(octets, {}, wish),
                  "> EHLO gate.example;> STARTTLS;TLS now;> EHLO gate.example;ready esmtp;");
    }
    EXPECT_EQ(story(kOffersTls), "> EHLO gate.example;ready esmtp;");
}

TEST(UpstreamLeg, ForgetsWhatWasSaidBeforeTls) {
    UpstreamLeg leg("g", StartTls::kRequired);
    std::string out;
    (void)leg.next("220 mx\r\n", out);
    (void)leg.next("250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n", out);
    const UpstreamLeg::Result answer = leg.next("220 go\r\n250 injected\r\n", out);
    EXPECT_EQ(answer.event, Event::kStartTls);
    EXPECT_TRUE(answer.ends_silence);
    EXPECT_EQ(answer.consumed, 8U) << "whoever owns the socket sees that something stands behind it";
    EXPECT_FALSE(leg.can_send());
    leg.secured(out);
    EXPECT_EQ(leg.next("250-mx\r\n250 DSN\r\n", out).event, Event::kReady);
    EXPECT_FALSE(leg.capabilities().pipelining);
    EXPECT_TRUE(leg.capabilities().dsn);
}

TEST(UpstreamLeg, GoesOnInTheClearOnlyWhereItMay) {
    for (const std::string_view octets :
         {"220 mx\r\n250-mx\r\n250 DSN\r\n", "220 mx\r\n502 EHLO?\r\n250 mx\r\n",
          "220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 not now\r\n"}) {
        EXPECT_TRUE(story(octets, {}, StartTls::kIfOffered).contains("ready")) << octets;
        EXPECT_TRUE(story(octets, {}, StartTls::kRequired).ends_with("no TLS;")) << octets;
    }
    for (const std::string_view answer : {"250 ok\r\n", "354 go\r\n"}) {
        EXPECT_TRUE(story(std::string(kOffersTls) + std::string(answer), {}, StartTls::kIfOffered)
                        .ends_with("nonsense;"));
    }
    EXPECT_TRUE(story(std::string(kOffersTls) + "421 bye\r\n", {}, StartTls::kIfOffered)
                    .ends_with("going away 421 bye;"));
}

TEST(UpstreamLeg, NothingIsAwaitedDuringTheHandshake) {
    UpstreamLeg leg("g", StartTls::kRequired);
    std::string out;
    (void)leg.next("220 mx\r\n", out);
    (void)leg.next("250-mx\r\n250 STARTTLS\r\n", out);
    (void)leg.next("220 go\r\n", out);
    EXPECT_EQ(leg.next("250 injected\r\n", out).event, Event::kNonsense);
}

TEST(UpstreamLeg, RefusalsAreTold) {
    EXPECT_EQ(story("554 go away\r\n"), "refused 554 go away;");
    EXPECT_EQ(story("450 later\r\n"), "refused 450 later;");
    EXPECT_EQ(story("220 x\r\n451 later\r\n"), "> EHLO gate.example;refused 451 later;");
    EXPECT_EQ(story("220 x\r\n502 no\r\n502 no\r\n"),
              "> EHLO gate.example;> HELO gate.example;refused 502 no;");
}

TEST(UpstreamLeg, GoingAwayIsHeardInEveryState) {
    EXPECT_EQ(story("421 busy\r\n"), "going away 421 busy;");
    EXPECT_EQ(story("220 x\r\n421 busy\r\n"), "> EHLO gate.example;going away 421 busy;");
    EXPECT_EQ(story("220 x\r\n250 x\r\n421 idle\r\n"),
              "> EHLO gate.example;ready esmtp;going away 421 idle;");
    EXPECT_EQ(story("220 x\r\n250 x\r\n421 idle\r\n", {Awaited::kMail}),
              "> EHLO gate.example;ready esmtp;going away 421 idle;");
}

TEST(UpstreamLeg, AnswersThatCannotBeAreNonsense) {
    EXPECT_EQ(story("250 hello\r\n"), "nonsense;");
    EXPECT_EQ(story("354 go\r\n"), "nonsense;");
    EXPECT_EQ(story("SSH-2.0-OpenSSH\r\n"), "nonsense;");
    EXPECT_EQ(story("220 x\r\n220 x\r\n"), "> EHLO gate.example;nonsense;");
    EXPECT_EQ(story("220 x\r\n354 x\r\n"), "> EHLO gate.example;nonsense;");
    const std::string open = "220 x\r\n250 x\r\n";
    const std::string ready = "> EHLO gate.example;ready esmtp;";
    EXPECT_EQ(story(open + "250 who asked?\r\n"), ready + "nonsense;");
    EXPECT_EQ(story(open + "354 go\r\n", {Awaited::kMail}), ready + "nonsense;");
    EXPECT_EQ(story(open + "250 taken\r\n", {Awaited::kData}), ready + "nonsense;") << "a 2xx to DATA";
    EXPECT_EQ(story(open + "354 go\r\n", {Awaited::kEndOfData}), ready + "nonsense;")
        << "a 354 at the end of data";
    EXPECT_EQ(story(open + "354 go\r\n", {Awaited::kLastChunk}), ready + "nonsense;");
    EXPECT_EQ(story(open + "334 \r\n", {Awaited::kReset}), ready + "nonsense;");
}

TEST(UpstreamLeg, AnswersComeInTheOrderOfTheCommands) {
    EXPECT_EQ(story("220 x\r\n250-x\r\n250 PIPELINING\r\n250 a\r\n550-b\r\n550 b\r\n450 c\r\n354 d\r\n250 "
                    "e\r\n221 f\r\n",
                    {Awaited::kMail, Awaited::kRcpt, Awaited::kRcpt, Awaited::kData, Awaited::kEndOfData,
                     Awaited::kQuit}),
              "> EHLO gate.example;ready esmtp;MAIL 250 a;RCPT 550 b\\x0ab;RCPT 450 c;DATA 354 d;EOD 250 "
              "e;QUIT 221 f;");
}

TEST(UpstreamLeg, DataMayBeRefused) {
    EXPECT_EQ(story("220 x\r\n250 x\r\n554 no\r\n", {Awaited::kData}),
              "> EHLO gate.example;ready esmtp;DATA 554 no;");
    EXPECT_EQ(story("220 x\r\n250 x\r\n452 full\r\n", {Awaited::kData}),
              "> EHLO gate.example;ready esmtp;DATA 452 full;");
}

TEST(UpstreamLeg, NothingIsBelievedAfterAFailure) {
    UpstreamLeg leg("g");
    std::string out;
    (void)leg.next("nonsense\r\n", out);
    EXPECT_EQ(leg.state(), UpstreamLeg::State::kFailed);
    const UpstreamLeg::Result result = leg.next("220 x\r\n", out);
    EXPECT_EQ(result.event, Event::kNone);
    EXPECT_EQ(result.consumed, 7U) << "or a caller would wait for ever";
    EXPECT_EQ(out, "");
    EXPECT_FALSE(leg.can_send());
}

TEST(UpstreamLeg, SendsOneCommandAtATimeWithoutPipelining) {
    UpstreamLeg leg("g");
    std::string out;
    (void)leg.next("220 x\r\n", out);
    EXPECT_FALSE(leg.can_send());
    (void)leg.next("250 x\r\n", out);
    EXPECT_TRUE(leg.can_send());
    leg.await(Awaited::kMail);
    EXPECT_FALSE(leg.can_send());
    (void)leg.next("250 ok\r\n", out);
    EXPECT_TRUE(leg.can_send());
}

TEST(UpstreamLeg, PipeliningIsBounded) {
    UpstreamLeg leg("g");
    std::string out;
    (void)leg.next("220 x\r\n", out);
    (void)leg.next("250-x\r\n250 PIPELINING\r\n", out);
    for (int round = 0; round < 3; ++round) {
        std::size_t sent = 0;
        for (; leg.can_send(); ++sent) leg.await(sent % 2 == 0 ? Awaited::kMail : Awaited::kReset);
        EXPECT_EQ(leg.awaited(), UpstreamLeg::kMaxAwaited);
        for (std::size_t i = 0; i < UpstreamLeg::kMaxAwaited - 5 * static_cast<std::size_t>(round); ++i) {
            ASSERT_EQ(leg.next("250 ok\r\n", out).event, Event::kReply);
        }
    }
    EXPECT_EQ(leg.awaited(), 10U);
}

}  // namespace
}  // namespace gatepost::smtp

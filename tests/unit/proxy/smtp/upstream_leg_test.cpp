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

Capabilities pipelining() {
    Capabilities able;
    able.esmtp = able.pipelining = true;
    return able;
}

std::string event_name(const UpstreamLeg& leg, Event event) {
    const std::string reply =
        ' ' + std::to_string(leg.reply().code) + ' ' + printable(leg.reply().text) + ';';
    switch (event) {
        case Event::kNone: return "";
        case Event::kReply: return std::string(to_string(leg.answered())) + reply;
        case Event::kGoingAway: return "going away" + reply;
        case Event::kNonsense: return "nonsense;";
    }
    return "?";
}

/// What the leg says to `octets` while it awaits the answers to `sent`.
std::string story(ByteView octets, const std::vector<Awaited>& sent) {
    return test::story_at_every_split(octets, [&](const Pieces& pieces) {
        UpstreamLeg leg(pipelining());
        for (const Awaited awaited : sent) leg.await(awaited);
        Pending pending;
        std::string told;
        for (const ByteView piece : pieces) {
            pending.add(piece);
            while (!pending.view().empty()) {
                const UpstreamLeg::Result result = leg.next(pending.view());
                pending.consume(result.consumed);
                told += event_name(leg, result.event);
                if (result.event == Event::kNone) break;
            }
        }
        return told;
    });
}

TEST(UpstreamLeg, AnswersComeInTheOrderOfTheCommands) {
    EXPECT_EQ(story("250 a\r\n550-b\r\n550 b\r\n450 c\r\n354 d\r\n250 e\r\n221 f\r\n",
                    {Awaited::kMail, Awaited::kRcpt, Awaited::kRcpt, Awaited::kData, Awaited::kEndOfData,
                     Awaited::kQuit}),
              "MAIL 250 a;RCPT 550 b\\x0ab;RCPT 450 c;DATA 354 d;EOD 250 e;QUIT 221 f;");
    EXPECT_EQ(story("250 a\r\n250 b\r\n250 c\r\n", {Awaited::kReset, Awaited::kChunk, Awaited::kLastChunk}),
              "RSET 250 a;BDAT 250 b;BDAT 250 c;");
}

TEST(UpstreamLeg, DataMayBeRefused) {
    EXPECT_EQ(story("554 no\r\n", {Awaited::kData}), "DATA 554 no;");
    EXPECT_EQ(story("452 full\r\n", {Awaited::kData}), "DATA 452 full;");
}

TEST(UpstreamLeg, GoingAwayIsHeardWhateverIsAwaited) {
    EXPECT_EQ(story("421 idle\r\n", {}), "going away 421 idle;");
    EXPECT_EQ(story("421 idle\r\n", {Awaited::kMail}), "going away 421 idle;");
    EXPECT_EQ(story("421 idle\r\n250 ok\r\n", {Awaited::kData, Awaited::kReset}), "going away 421 idle;");
}

TEST(UpstreamLeg, AnswersThatCannotBeAreNonsense) {
    EXPECT_EQ(story("SSH-2.0-OpenSSH\r\n", {Awaited::kMail}), "nonsense;");
    EXPECT_EQ(story("250 who asked?\r\n", {}), "nonsense;");
    EXPECT_EQ(story("250 ok\r\n250 twice\r\n", {Awaited::kMail}), "MAIL 250 ok;nonsense;");
    EXPECT_EQ(story("354 go\r\n", {Awaited::kMail}), "nonsense;");
    EXPECT_EQ(story("250 taken\r\n", {Awaited::kData}), "nonsense;") << "a 2xx to DATA";
    EXPECT_EQ(story("334 \r\n", {Awaited::kData}), "nonsense;");
    EXPECT_EQ(story("354 go\r\n", {Awaited::kEndOfData}), "nonsense;") << "a 354 at the end of data";
    EXPECT_EQ(story("354 go\r\n", {Awaited::kLastChunk}), "nonsense;");
    EXPECT_EQ(story("334 \r\n", {Awaited::kReset}), "nonsense;");
}

TEST(UpstreamLeg, NothingIsBelievedAfterAFailure) {
    UpstreamLeg leg(pipelining());
    leg.await(Awaited::kMail);
    leg.await(Awaited::kRcpt);
    EXPECT_EQ(leg.next("nonsense\r\n").event, Event::kNonsense);
    const UpstreamLeg::Result result = leg.next("250 x\r\n");
    EXPECT_EQ(result.event, Event::kNone);
    EXPECT_EQ(result.consumed, 7U) << "or a caller would wait for ever";
    EXPECT_FALSE(leg.can_send());
}

TEST(UpstreamLeg, WhatNobodyWillAnswerIsGivenUpInOrder) {
    UpstreamLeg leg(pipelining());
    leg.await(Awaited::kMail);
    leg.await(Awaited::kRcpt);
    EXPECT_EQ(leg.give_up_next(), Awaited::kMail);
    EXPECT_EQ(leg.give_up_next(), Awaited::kRcpt);
    EXPECT_EQ(leg.give_up_next(), std::nullopt);
}

TEST(UpstreamLeg, SendsOneCommandAtATimeWithoutPipelining) {
    UpstreamLeg leg({});
    EXPECT_TRUE(leg.can_send());
    leg.await(Awaited::kMail);
    EXPECT_FALSE(leg.can_send());
    (void)leg.next("250 ok\r\n");
    EXPECT_TRUE(leg.can_send());
}

TEST(UpstreamLeg, PipeliningIsBounded) {
    UpstreamLeg leg(pipelining());
    for (int round = 0; round < 3; ++round) {
        std::size_t sent = 0;
        for (; leg.can_send(); ++sent) leg.await(sent % 2 == 0 ? Awaited::kMail : Awaited::kReset);
        EXPECT_EQ(leg.awaited(), UpstreamLeg::kMaxAwaited);
        for (std::size_t i = 0; i < UpstreamLeg::kMaxAwaited - 5 * static_cast<std::size_t>(round); ++i) {
            ASSERT_EQ(leg.next("250 ok\r\n").event, Event::kReply);
        }
    }
    EXPECT_EQ(leg.awaited(), 10U);
}

}  // namespace
}  // namespace gatepost::smtp

#include "proxy/smtp/client_leg.h"

#include <string>

#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

int code(const ClientLeg& leg, ByteView line, ClientLeg::Standing standing = {}) {
    const Refusal refusal = leg.refusal(parse_command(line), standing);
    return refusal == nullptr ? 0 : refusal->code;
}

TEST(ClientLeg, BeginsBeforeTheGreeting) {
    const ClientLeg leg;
    EXPECT_EQ(leg.phase(), Phase::kConnected);
    EXPECT_FALSE(leg.is_esmtp());
    EXPECT_EQ(leg.greeting_name(), "");
    EXPECT_EQ(code(leg, "MAIL FROM:<a@b>"), 503);
    EXPECT_EQ(code(leg, "EHLO x"), 0);
}

TEST(ClientLeg, RemembersHowItWasGreeted) {
    ClientLeg leg;
    leg.greeted("client.example", true);
    EXPECT_EQ(leg.phase(), Phase::kGreeted);
    EXPECT_TRUE(leg.is_esmtp());
    EXPECT_EQ(leg.greeting_name(), "client.example");
    leg.greeted(std::string(1000, 'x'), false);
    EXPECT_FALSE(leg.is_esmtp());
    EXPECT_EQ(leg.greeting_name().size(), 255U);
}

TEST(ClientLeg, MissingTlsIsSaidBeforeAnythingElse) {
    ClientLeg leg;
    EXPECT_EQ(code(leg, "AUTH PLAIN", {.tls_missing = true, .auth_missing = true}), 530);
    EXPECT_EQ(code(leg, "NONSENSE", {.tls_missing = true}), 530);
    EXPECT_EQ(code(leg, "STARTTLS", {.tls_missing = true, .auth_missing = true}), 0);
    EXPECT_EQ(code(leg, "NOOP", {.tls_missing = true}), 0);
}

TEST(ClientLeg, MissingAuthIsSaidBeforeTheSequence) {
    ClientLeg leg;
    leg.greeted("x", true);
    EXPECT_EQ(code(leg, "DATA", {.auth_missing = true}), 530);
    EXPECT_EQ(code(leg, "RSET", {.auth_missing = true}), 0);
    EXPECT_EQ(code(leg, "AUTH PLAIN", {.auth_missing = true}), 0);
}

TEST(ClientLeg, ControlsAreNeverObeyed) {
    ClientLeg leg;
    leg.greeted("x", true);
    EXPECT_EQ(code(leg, ByteView("NOOP \0", 6)), 500);
    EXPECT_EQ(code(leg, "QUIT\x01"), 500);
    EXPECT_EQ(code(leg, "EHLO cli\x1B[31ment"), 501);
    EXPECT_EQ(code(leg, ByteView("HELO a\0", 7)), 501);
}

TEST(ClientLeg, D1_ArgumentsWhereThereAreNone) {
    ClientLeg leg;
    leg.greeted("x", true);
    for (const ByteView line : {"RSET now", "QUIT please", "STARTTLS x"})
        EXPECT_EQ(code(leg, line), 501) << line;
    EXPECT_EQ(code(leg, "NOOP anything"), 0);
    leg.enter(Phase::kRcpt);
    EXPECT_EQ(code(leg, "DATA 5"), 501);
}

TEST(ClientLeg, A9_NoAuthInsideATransaction) {
    ClientLeg leg;
    for (const Phase phase : {Phase::kMail, Phase::kRcpt, Phase::kChunks}) {
        leg.enter(phase);
        EXPECT_EQ(code(leg, "AUTH PLAIN"), 503);
        EXPECT_EQ(code(leg, "STARTTLS"), 503);
        EXPECT_EQ(code(leg, "MAIL FROM:<a@b>"), 503);
    }
}

TEST(ClientLeg, FollowsChunksByNothingButChunks) {
    ClientLeg leg;
    leg.enter(Phase::kChunks);
    EXPECT_EQ(code(leg, "BDAT 5"), 0);
    EXPECT_EQ(code(leg, "DATA"), 503);
    EXPECT_EQ(code(leg, "RCPT TO:<a@b>"), 503);
    EXPECT_EQ(code(leg, "RSET"), 0);
}

TEST(ClientLeg, CutsLinesWithItsOwnReader) {
    ClientLeg leg;
    EXPECT_EQ(leg.next_line("NOOP\r", 100).status, LineReader::Status::kNeedMore);
    EXPECT_EQ(leg.next_line("NOOP\r\n", 100).line, "NOOP");
}

TEST(GreetingName, IsNotEmptyAndHasNoBlanksOrControls) {
    for (const ByteView good :
         {"client", "[192.0.2.1]", "[IPv6:::1]", "gr\xC3\xBC\xC3\x9F.example", "x_y", "-"})
        EXPECT_TRUE(is_greeting_name(good));
    for (const ByteView bad : {ByteView(""), ByteView("a b"), ByteView("a\tb"), ByteView("a\0", 2),
                               ByteView("\x7F"), ByteView("a\rb")}) {
        EXPECT_FALSE(is_greeting_name(bad));
    }
}

}  // namespace
}  // namespace gatepost::smtp

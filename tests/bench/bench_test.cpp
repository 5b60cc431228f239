// What the bench's own parts promise: the sink judges messages exactly at every split and misbehaves as
// asked, the client checks every reply. A bench that is wrong here would measure the wrong thing.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bench/client_script.h"
#include "tests/bench/end_mark.h"
#include "tests/bench/load_options.h"
#include "tests/bench/sink_options.h"
#include "tests/bench/sink_session.h"

namespace gatepost::bench {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Kept : public MessageTaker {
  public:
    void take(const SinkMessage& message) override { messages.push_back(message); }
    std::vector<SinkMessage> messages;
};

SinkOptions options_of(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    const auto options = parse_sink_options(arguments);
    EXPECT_TRUE(options) << options.error();
    return options.value_or(SinkOptions{});
}

std::string says(SinkSession& session, std::string_view octets) {
    std::string out;
    session.on_bytes(octets, out);
    return out;
}

constexpr std::string_view kEnvelope = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";

TEST(EndMark, WhenTheMarkIsSplitAnywhere_IsFoundBehindIt) {
    const std::string data = "x\r\n..\r\n.\r.\r\n\n.\n\r\n.\r\nMAIL";
    const std::size_t end = data.find("\r\n.\r\nMAIL") + 5;
    for (std::size_t first = 0; first <= data.size(); ++first) {
        for (std::size_t second = first; second <= data.size(); ++second) {
            EndMark mark;
            mark.start();
            std::size_t found = std::string::npos;
            const std::size_t cuts[] = {0, first, second, data.size()};
            for (int i = 0; i < 3 && found == std::string::npos; ++i) {
                const std::size_t here =
                    mark.find(std::string_view(data).substr(cuts[i], cuts[i + 1] - cuts[i]));
                if (here != std::string_view::npos) found = cuts[i] + here;
            }
            ASSERT_EQ(found, end) << first << " " << second;
        }
    }
}

TEST(EndMark, WhenTheMessageIsEmpty_IsTheFirstLine) {
    EndMark mark;
    mark.start();
    EXPECT_EQ(mark.find(".\r\n"), 3U);
}

TEST(EndMark, WhenItIsOneOctetAtATime_IsFoundOnce) {
    EndMark mark;
    mark.start();
    const std::string data = "a.\r\n.\r\n";
    for (std::size_t i = 0; i + 1 < data.size(); ++i)
        EXPECT_EQ(mark.find(data.substr(i, 1)), std::string::npos) << i;
    EXPECT_EQ(mark.find("\n"), 1U);
}

TEST(Unstuffed, WhenLinesBeginWithDots_TakesOneFromEach) {
    EXPECT_EQ(unstuffed("..a\r\n...\r\nb.c\r\n..\r\n"), ".a\r\n..\r\nb.c\r\n.\r\n");
    EXPECT_EQ(unstuffed(""), "");
}

TEST(SinkSession, WhenAMessageArrivesAtEverySplit_KeepsTheSameOctets) {
    const SinkSettings settings;
    const std::string octets = std::string(kEnvelope) + "DATA\r\n..dot\r\n\x01\xff\r\n.\r\nQUIT\r\n";
    for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
        Kept kept;
        SinkSession session(settings, &kept, 7);
        std::string out;
        session.on_bytes(std::string_view(octets).substr(0, cut), out);
        session.on_bytes(std::string_view(octets).substr(cut), out);
        ASSERT_EQ(kept.messages.size(), 1U) << cut;
        const SinkMessage& message = kept.messages.front();
        EXPECT_EQ(message.body, ".dot\r\n\x01\xff\r\n");
        EXPECT_EQ(message.mail_line, "MAIL FROM:<a@b>");
        EXPECT_THAT(message.rcpt_lines, testing::ElementsAre("RCPT TO:<c@d>"));
        EXPECT_EQ(message.greeting_name, "me");
        EXPECT_EQ(message.connection, 7U);
        EXPECT_TRUE(session.wants_close());
        EXPECT_THAT(out, EndsWith("354 Go on\r\n250 2.0.0 Message taken\r\n221 2.0.0 Bye\r\n"));
    }
}

TEST(SinkSession, WhenChunksArrive_JoinsThemUntouched) {
    const SinkSettings settings;
    Kept kept;
    SinkSession session(settings, &kept, 1);
    const std::string out = says(session, std::string(kEnvelope) + "BDAT 6\r\n.a\r\n.\rBDAT 1 LAST\r\n\n");
    ASSERT_EQ(kept.messages.size(), 1U) << out;
    EXPECT_EQ(kept.messages.front().body, ".a\r\n.\r\n");
    EXPECT_TRUE(kept.messages.front().by_bdat);
}

TEST(SinkSession, WhenDataHasNoRecipient_IsRefused) {
    const SinkSettings settings;
    SinkSession session(settings, nullptr, 1);
    EXPECT_THAT(says(session, "EHLO me\r\nMAIL FROM:<a>\r\nDATA\r\n"),
                EndsWith("503 5.5.1 No recipient\r\n"));
}

TEST(SinkSession, WhenARuleNamesTheSecondRecipient_RefusesOnlyThat) {
    const SinkOptions options = options_of({"--reply", "RCPT#2=452-4.2.2 mailbox\\r\\n452 4.2.2 full"});
    SinkSession session(options.settings, nullptr, 1);
    const std::string out = says(session, std::string(kEnvelope) + "RCPT TO:<x>\r\nRCPT TO:<y>\r\nQUIT\r\n");
    EXPECT_THAT(
        out,
        EndsWith(
            "250 2.1.5 Recipient fine\r\n452-4.2.2 mailbox\r\n452 4.2.2 full\r\n250 2.1.5 Recipient fine\r\n"
            "221 2.0.0 Bye\r\n"));
}

TEST(SinkSession, WhenARuleNamesText_AppliesToLinesThatHoldIt) {
    const SinkOptions options = options_of({"--reply", "RCPT~bad@=550 5.1.1 no"});
    SinkSession session(options.settings, nullptr, 1);
    EXPECT_THAT(says(session, std::string(kEnvelope) + "RCPT TO:<bad@x>\r\n"),
                EndsWith("fine\r\n550 5.1.1 no\r\n"));
}

TEST(SinkSession, WhenAReplyIsSlow_ConsumesNothingBeforeItIsResumed) {
    const SinkOptions options = options_of({"--slow", "NOOP=250"});
    SinkSession session(options.settings, nullptr, 1);
    EXPECT_EQ(says(session, "NOOP\r\nRSET\r\n"), "");
    EXPECT_EQ(session.delay(), std::chrono::milliseconds(250));
    std::string out;
    session.resume(out);
    EXPECT_EQ(out, "250 2.0.0 Fine\r\n250 2.0.0 Reset\r\n");
    EXPECT_FALSE(session.is_delayed());
}

TEST(SinkSession, WhenToldToDrop_ClosesBeforeOrBehindTheReply) {
    const SinkOptions options = options_of({"--drop-after", "NOOP", "--reset-at", "RSET"});
    SinkSession after(options.settings, nullptr, 1);
    EXPECT_EQ(says(after, "NOOP\r\nNOOP\r\n"), "250 2.0.0 Fine\r\n");
    EXPECT_TRUE(after.wants_close());
    EXPECT_FALSE(after.wants_reset());
    SinkSession before(options.settings, nullptr, 2);
    EXPECT_EQ(says(before, "RSET\r\n"), "");
    EXPECT_TRUE(before.wants_close());
    EXPECT_TRUE(before.wants_reset());
}

TEST(SinkSession, WhenDataPassesTheDropLimit_ResetsInsideTheMessage) {
    const SinkOptions options = options_of({"--drop-in-data", "10"});
    SinkSession session(options.settings, nullptr, 1);
    says(session, std::string(kEnvelope) + "DATA\r\n12345");
    EXPECT_FALSE(session.wants_close());
    EXPECT_EQ(says(session, "67890\r\n.\r\n"), "");
    EXPECT_TRUE(session.wants_reset());
    EXPECT_EQ(session.messages(), 0U);
}

TEST(SinkSession, WhenCapabilitiesAreSwitchedOff_OffersTheRest) {
    const SinkOptions options =
        options_of({"--no-pipelining", "--no-chunking", "--no-8bitmime", "--no-smtputf8", "--no-dsn",
                    "--no-enhancedstatuscodes", "--size", "0"});
    SinkSession session(options.settings, nullptr, 1);
    EXPECT_EQ(says(session, "EHLO me\r\n"), "250-sink.test\r\n250 SIZE\r\n");
    const SinkOptions old_options = options_of({"--helo-only"});
    SinkSession helo_only(old_options.settings, nullptr, 2);
    EXPECT_THAT(says(helo_only, "EHLO me\r\n"), StartsWith("502"));
}

TEST(SinkSession, WhenTlsStarts_ForgetsAllAndWhatCameBehindStartTls) {
    SinkSettings settings;
    settings.starttls = true;
    SinkSession session(settings, nullptr, 1);
    EXPECT_THAT(says(session, std::string(kEnvelope) + "STARTTLS\r\nNOOP\r\n"),
                EndsWith("250 2.1.5 Recipient fine\r\n220 2.0.0 Begin\r\n"));
    EXPECT_TRUE(session.wants_tls());
    session.on_tls();
    EXPECT_FALSE(session.wants_tls());
    EXPECT_EQ(says(session, "DATA\r\nSTARTTLS\r\n"), "503 5.5.1 No recipient\r\n502 5.5.1 Not here\r\n");
    EXPECT_THAT(says(session, "EHLO me\r\n"), testing::Not(HasSubstr("STARTTLS")));
}

TEST(SinkSession, WhenStartTlsIsNotOffered_DoesNotKnowIt) {
    const SinkSettings settings;
    SinkSession session(settings, nullptr, 1);
    EXPECT_THAT(says(session, "EHLO me\r\n"), testing::Not(HasSubstr("STARTTLS")));
    EXPECT_EQ(says(session, "STARTTLS\r\n"), "502 5.5.1 Not here\r\n");
}

TEST(SinkSession, WhenAConnectionIsUsedAgain_AnswersRsetAheadOfMailInOrder) {
    const SinkSettings settings;
    SinkSession session(settings, nullptr, 1);
    says(session, std::string(kEnvelope) + "DATA\r\nx\r\n.\r\n");
    EXPECT_EQ(says(session, "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"),
              "250 2.0.0 Reset\r\n250 2.1.0 Sender fine\r\n250 2.1.5 Recipient fine\r\n354 Go on\r\n"
              "250 2.0.0 Message taken\r\n");
    EXPECT_EQ(session.messages(), 2U);
}

TEST(SinkOptions, WhenACertificateHasNoKey_SaysSo) {
    std::string word = "--certificate=a.pem";
    char* const arguments[] = {word.data()};
    const auto options = parse_sink_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_THAT(options.error(), HasSubstr("--key"));
}

TEST(SinkOptions, WhenWrong_SaysWhat) {
    std::string word = "--sise";
    std::string value = "5";
    char* const arguments[] = {word.data(), value.data()};
    const auto options = parse_sink_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_THAT(options.error(), HasSubstr("--sise"));
}

TEST(ClientScript, WhenAllGoesWell_SaysEveryCommandOnce) {
    ScriptText text;
    text.starttls = true;
    text.set_credentials("u", "p");
    text.set_message_size(4096);
    ClientScript script(text, 2);
    EXPECT_EQ(script.on_reply(220).octets, "EHLO load.test\r\n");
    EXPECT_EQ(script.on_reply(250).octets, "STARTTLS\r\n");
    EXPECT_EQ(script.on_reply(220).kind, ScriptStep::Kind::kStartTls);
    EXPECT_EQ(script.on_tls().octets, "EHLO load.test\r\n");
    EXPECT_EQ(script.on_reply(250).octets, "AUTH PLAIN AHUAcA==\r\n");
    ScriptStep step = script.on_reply(235);
    for (int message = 0; message < 2; ++message) {
        EXPECT_TRUE(step.message_begins);
        EXPECT_EQ(step.octets, text.mail);
        step = script.on_reply(250);
        EXPECT_TRUE(step.sender_accepted);
        EXPECT_EQ(step.octets, text.rcpt);
        step = script.on_reply(250);
        EXPECT_FALSE(step.sender_accepted);
        EXPECT_EQ(step.octets, "DATA\r\n");
        EXPECT_EQ(script.on_reply(354).octets.size(), 4099U);
        step = script.on_reply(250);
        EXPECT_TRUE(step.message_accepted);
    }
    EXPECT_EQ(step.octets, "QUIT\r\n");
    EXPECT_EQ(script.on_reply(221).kind, ScriptStep::Kind::kDone);
}

TEST(ClientScript, WhenPipelining_SendsTheEnvelopeAtOnceAndAwaitsEachReply) {
    ScriptText text;
    text.set_pipelined();
    ClientScript script(text, 1);
    (void)script.on_reply(220);
    EXPECT_EQ(script.on_reply(250).octets, text.mail + text.rcpt + "DATA\r\n");
    EXPECT_EQ(script.on_reply(250).kind, ScriptStep::Kind::kWait);
    EXPECT_EQ(script.on_reply(250).kind, ScriptStep::Kind::kWait);
    EXPECT_EQ(script.on_reply(354).octets, text.message);
}

TEST(ClientScript, WhenAReplyIsNotTheOneDue_Fails) {
    const ScriptText text;
    ClientScript script(text, 1);
    EXPECT_EQ(script.on_reply(554).kind, ScriptStep::Kind::kFailed);
    EXPECT_EQ(script.expected_code(), 220);
}

TEST(ScriptText, WhenAMessageIsMade_HasExactlyTheSizeAndOneEndMark) {
    for (const std::size_t size : {100U, 4095U, 4096U, 4097U, 16384U, 70001U}) {
        ScriptText text;
        text.set_message_size(size);
        ASSERT_EQ(text.message.size(), size + 3) << size;
        EXPECT_EQ(text.message.find("\r\n.\r\n"), size - 2) << size;
    }
}

TEST(LoadOptions, WhenTheTargetIsMissing_SaysSo) {
    const auto options = parse_load_options({});
    ASSERT_FALSE(options);
    EXPECT_THAT(options.error(), HasSubstr("--target"));
}

}  // namespace
}  // namespace gatepost::bench

#include "proxy/smtp/reply.h"

#include <string>

#include <gtest/gtest.h>

#include "proxy/smtp/reply_catalog.h"

namespace gatepost::smtp {
namespace {

std::string encoded(int code, std::string_view text) {
    std::string out;
    append(out, Reply{code, std::string(text)});
    return out;
}

TEST(Reply, C1_EveryLineButTheLastHasAHyphen) {
    EXPECT_EQ(encoded(250, "one"), "250 one\r\n");
    EXPECT_EQ(encoded(250, "one\ntwo"), "250-one\r\n250 two\r\n");
    EXPECT_EQ(encoded(550, "5.7.1 a\n5.7.1 b\n5.7.1 c"), "550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c\r\n");
    EXPECT_EQ(encoded(250, ""), "250 \r\n");
    EXPECT_EQ(encoded(250, "one\n"), "250-one\r\n250 \r\n");
    EXPECT_EQ(encoded(250, "\n\n"), "250-\r\n250-\r\n250 \r\n");
}

TEST(Reply, TextCannotInjectALineEnd) {
    EXPECT_EQ(encoded(550, "no\r\n250 yes"), "550-no?\r\n550 250 yes\r\n")
        << "LF cuts lines of the value, each gets its code";
    EXPECT_EQ(encoded(550, "no\r250 yes"), "550 no?250 yes\r\n");
    EXPECT_EQ(encoded(550, std::string_view("a\0b\x1B[2J\x7F", 8)), "550 a?b?[2J?\r\n");
    EXPECT_EQ(encoded(550, "a\tb gr\xC3\xBC\xC3\x9F"), "550 a\tb gr\xC3\xBC\xC3\x9F\r\n");
}

TEST(Reply, EveryOctetLeavesAsOneLine) {
    for (int octet = 0; octet < 256; ++octet) {
        if (octet == '\n') continue;
        const std::string out = encoded(550, std::string("x") + static_cast<char>(octet) + "y");
        EXPECT_EQ(out.find('\n'), out.size() - 1);
        EXPECT_EQ(out.find('\r'), out.size() - 2);
    }
}

TEST(Reply, SentencesOfOurOwn) {
    std::string out;
    append(out, replies::kInvalidCredentials);
    append(out, StaticReply{220, "", "mx.example.org ESMTP"});
    EXPECT_EQ(out, "535 5.7.8 Authentication credentials invalid\r\n220 mx.example.org ESMTP\r\n");
}

std::string encoded_in(std::string_view session, const Reply& reply) {
    std::string out = "250 before\r\n";
    append(out, reply, session);
    EXPECT_TRUE(out.starts_with("250 before\r\n"));
    return out.substr(12);
}

TEST(Reply, ARefusalOfOurOwn_NamesItsSessionAtTheEnd) {
    std::string out;
    append(out, replies::kUpstreamLost, "1k2j-0-5");
    append(out, replies::kInvalidCredentials, "1k2j-0-5");
    append(out, replies::kOk, "1k2j-0-5");
    EXPECT_EQ(out,
              "451 4.4.2 Connection to the mail server was lost, try again later [1k2j-0-5]\r\n"
              "535 5.7.8 Authentication credentials invalid [1k2j-0-5]\r\n"
              "250 2.0.0 OK\r\n");
    EXPECT_EQ(encoded_in("7-0-1", to_reply(replies::kTooLarge)),
              "552 5.3.4 Message is larger than the limit [7-0-1]\r\n");
    EXPECT_EQ(encoded_in("7-0-1", Reply{.code = 550, .text = "no\nnever", .is_own = true}),
              "550-no\r\n550 never [7-0-1]\r\n");
}

TEST(Reply, WhatTheUpstreamSaid_AndWhatBelongsToNoSession_NamesNone) {
    EXPECT_EQ(encoded_in("7-0-1", Reply{550, "5.1.1 who?"}), "550 5.1.1 who?\r\n");
    EXPECT_EQ(encoded_in("", to_reply(replies::kTooLarge)), "552 5.3.4 Message is larger than the limit\r\n");
}

TEST(Reply, OfOurOwn_NeverGrowsOver512Octets) {
    for (std::size_t size = 480; size < 600; ++size) {
        const std::string out =
            encoded_in("1k2j-0-5", Reply{.code = 451, .text = std::string(size, 'x'), .is_own = true});
        EXPECT_LE(out.size(), kLongestReplyLine);
        EXPECT_TRUE(out.ends_with("x [1k2j-0-5]\r\n"));
    }
}

TEST(Reply, LinesOfOurOwn) {
    std::string out;
    append_lines(out, 250, "mx\nPIPELINING\nSIZE 100");
    EXPECT_EQ(out, "250-mx\r\n250-PIPELINING\r\n250 SIZE 100\r\n");
}

TEST(Reply, KnowsItsClass) {
    EXPECT_TRUE((Reply{250, ""}.is_positive()));
    EXPECT_FALSE((Reply{354, ""}.is_positive()));
    EXPECT_TRUE((Reply{450, ""}.is_transient()));
    EXPECT_FALSE((Reply{550, ""}.is_transient()));
    EXPECT_TRUE((Reply{550, ""}.is_permanent()));
}

TEST(Catalog, C2_CodesAndEnhancedCodesAgree) {
    for (const StaticReply& reply : {replies::kHelp,
                                     replies::kReadyForTls,
                                     replies::kBye,
                                     replies::kAuthenticated,
                                     replies::kOk,
                                     replies::kCannotVerify,
                                     replies::kShuttingDown,
                                     replies::kEndedByOperator,
                                     replies::kTooManyErrors,
                                     replies::kUpstreamUnreachable,
                                     replies::kUpstreamLost,
                                     replies::kUpstreamNonsense,
                                     replies::kTooManyRecipients,
                                     replies::kAuthUnavailable,
                                     replies::kUnrecognized,
                                     replies::kLineTooLong,
                                     replies::kAuthLineTooLong,
                                     replies::kSyntax,
                                     replies::kUndecodable,
                                     replies::kCancelled,
                                     replies::kNotImplemented,
                                     replies::kGreetFirst,
                                     replies::kUnknownMechanism,
                                     replies::kTlsRequired,
                                     replies::kAuthRequired,
                                     replies::kInvalidCredentials,
                                     replies::kEncryptionRequired,
                                     replies::kBareNewlineInData,
                                     replies::kTooLarge,
                                     replies::kNeedsSmtpUtf8,
                                     replies::kNoRecipients,
                                     replies::kUnknownParameter}) {
        ASSERT_FALSE(reply.enhanced.empty());
        EXPECT_EQ(reply.enhanced.front() - '0', reply.code / 100)
            << "RFC 2034: " << reply.code << ' ' << reply.enhanced;
        EXPECT_FALSE(reply.text.empty());
        EXPECT_EQ(reply.text.find_first_of("\r\n"), std::string_view::npos);
    }
}

}  // namespace
}  // namespace gatepost::smtp

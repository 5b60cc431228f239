#include "proxy/smtp/capabilities.h"

#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

Capabilities of(std::initializer_list<ByteView> lines) {
    Capabilities capabilities;
    for (const ByteView line : lines) capabilities.add_line(line);
    return capabilities;
}

TEST(Capabilities, D6_KeywordsSeenOnRealUpstreams) {
    const Capabilities all = of({"PIPELINING", "SIZE 10240000", "VRFY", "ETRN", "EXPN", "HELP", "8BITMIME",
                                 "DSN", "DELIVERBY 300", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME",
                                 "SMTPUTF8", "STARTTLS", "XCLIENT NAME ADDR", "AUTH PLAIN LOGIN"});
    EXPECT_TRUE(all.pipelining && all.size && all.eight_bit_mime && all.dsn && all.enhanced_status_codes &&
                all.chunking && all.smtputf8 && all.starttls);
    EXPECT_EQ(all.size_limit, 10240000U);
    EXPECT_EQ(all.auth_mechanisms, "PLAIN LOGIN");
    EXPECT_EQ(all.xclient, "NAME ADDR");
    EXPECT_FALSE(all.esmtp) << "said by the reply to EHLO, not by a keyword";
}

TEST(Capabilities, IgnoreCaseAndBlanks) {
    EXPECT_TRUE(of({"pipelining"}).pipelining);
    EXPECT_TRUE(of({" 8BitMime  "}).eight_bit_mime);
    EXPECT_EQ(of({"Size  20"}).size_limit, 20U);
}

TEST(Capabilities, IgnoreWhatOnlyLooksLikeAKeyword) {
    EXPECT_EQ(of({"", " ", "XPIPELINING", "PIPELINING2", "8BITMIMEX", "SIZE=5", "X-DSN", "AUTH=LOGIN PLAIN"}),
              Capabilities{});
}

TEST(Capabilities, D2_SizeWithoutAUsableNumberIsNoLimit) {
    for (const ByteView line :
         {"SIZE", "SIZE 0", "SIZE x", "SIZE -5", "SIZE 5x", "SIZE 99999999999999999999999"}) {
        EXPECT_TRUE(of({line}).size) << line;
        EXPECT_EQ(of({line}).size_limit, 0U) << line;
    }
}

TEST(Capabilities, TwoSidesCanDoWhatBothCan) {
    const Capabilities left = of({"PIPELINING", "DSN", "8BITMIME", "SIZE 100", "CHUNKING"});
    const Capabilities right = of({"PIPELINING", "SMTPUTF8", "8BITMIME", "SIZE 50"});
    const Capabilities both = left.intersect(right);
    EXPECT_EQ(both, of({"PIPELINING", "8BITMIME", "SIZE 50"}));
    EXPECT_EQ(right.intersect(left), both);
}

TEST(Capabilities, ListsThatDifferAreLeftOut) {
    const Capabilities left = of({"AUTH PLAIN", "XCLIENT NAME ADDR"});
    EXPECT_EQ(left.intersect(left), left);
    EXPECT_EQ(left.intersect(of({"AUTH PLAIN", "XCLIENT ADDR"})), of({"AUTH PLAIN"}));
    EXPECT_EQ(left.intersect({}), Capabilities{});
}

TEST(Capabilities, TheSmallerLimitHoldsAndNoneIsTheLargest) {
    EXPECT_EQ(of({"SIZE 100"}).intersect(of({"SIZE"})).size_limit, 100U);
    EXPECT_EQ(of({"SIZE"}).intersect(of({"SIZE 100"})).size_limit, 100U);
    EXPECT_EQ(of({"SIZE"}).intersect(of({"SIZE 0"})).size_limit, 0U);
    EXPECT_EQ(Capabilities{}.intersect(of({"SIZE 100"})).size_limit, 100U);
}

}  // namespace
}  // namespace gatepost::smtp

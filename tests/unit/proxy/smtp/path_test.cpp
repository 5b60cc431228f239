#include "proxy/smtp/path.h"

#include <string>

#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

/// "address|rest", or "refused".
std::string taken(ByteView text) {
    ByteView rest = text;
    const std::optional<Path> path = take_path(rest);
    if (!path) return "refused";
    return std::string(path->address) + '|' + std::string(rest);
}

TEST(Path, TakesWhatStandsBetweenTheBrackets) {
    EXPECT_EQ(taken("<fred@example.com>"), "fred@example.com|");
    EXPECT_EQ(taken("<fred@example.com> SIZE=1 BODY=7BIT"), "fred@example.com|SIZE=1 BODY=7BIT");
    EXPECT_EQ(taken("<>"), "|");
    EXPECT_EQ(taken("<> RET=HDRS"), "|RET=HDRS");
    EXPECT_EQ(taken("<postmaster>"), "postmaster|");
    EXPECT_EQ(taken("<a@[192.0.2.1]>"), "a@[192.0.2.1]|");
    EXPECT_EQ(taken("<a@[IPv6:2001:db8::1]>"), "a@[IPv6:2001:db8::1]|");
}

TEST(Path, D8_MissingBracketsAroundAPlainAddress) {
    EXPECT_EQ(taken("fred@example.com"), "fred@example.com|");
    EXPECT_EQ(taken("fred@example.com SIZE=3"), "fred@example.com|SIZE=3");
    EXPECT_EQ(taken("root"), "root|");
    EXPECT_EQ(taken(""), "refused");
    EXPECT_EQ(taken("SIZE=100"), "refused") << "a parameter is not an address";
}

TEST(Path, D8_HalfABracketIsRefused) {
    for (const ByteView text :
         {"<a@b", "a@b>", "<<a@b>>", "<a@b>>", "<a@b>SIZE=1", "<", ">", "< a@b>", "<a@b >", "<a@b><c@d>"}) {
        EXPECT_EQ(taken(text), "refused") << text;
    }
}

TEST(Path, KeepsQuotingOctetForOctet) {
    EXPECT_EQ(taken(R"(<"a b"@c>)"), R"("a b"@c|)");
    EXPECT_EQ(taken(R"(<"a\"b\\"@c> SIZE=1)"), R"("a\"b\\"@c|SIZE=1)");
    EXPECT_EQ(taken(R"(<"a>b@c"@d>)"), R"("a>b@c"@d|)");
    EXPECT_EQ(taken(R"(<"plain"@d>)"), R"("plain"@d|)") << "quotes that are not needed stay too";
    EXPECT_EQ(taken(R"(<""@d>)"), R"(""@d|)");
}

TEST(Path, RefusesQuotingThatDoesNotEnd) {
    for (const ByteView text : {R"(<"a@b>)", R"(<"a\"@b>)", R"(<"a"b@c>)", R"(<a"b"@c>)", R"(<"a\)"}) {
        EXPECT_EQ(taken(text), "refused") << text;
    }
    EXPECT_EQ(taken("<\"a\rb\"@c>"), "refused");
    EXPECT_EQ(taken("<\"a\\\nb\"@c>"), "refused");
    EXPECT_EQ(taken(ByteView("<\"a\0b\"@c>", 9)), "refused");
}

TEST(Path, TakesASourceRouteOff) {
    EXPECT_EQ(taken("<@hosta.int,@jkl.org:userc@d.bar.org>"), "userc@d.bar.org|");
    EXPECT_EQ(taken("<@a:b@c> SIZE=1"), "b@c|SIZE=1");
    EXPECT_EQ(taken("<@a:\"x y\"@c>"), "\"x y\"@c|");
}

TEST(Path, RefusesARouteThatLeadsNowhere) {
    for (const ByteView text : {"<@a:>", "<@a>", "<@a,@b>", "<@:b@c>", "<@a,b@c>", "<@a;b@c>", "<@a", "<@",
                                "<@a:@b:c@d>", "@a:b@c"}) {
        EXPECT_EQ(taken(text), "refused") << text;
    }
}

TEST(Path, SaysWhetherItNeedsSmtpUtf8) {
    ByteView plain = "<a@b>";
    EXPECT_FALSE(take_path(plain)->has_8bit);
    for (ByteView text : {"<gr\xC3\xBC\xC3\x9F@b>", "<a@\xC3\xBC.example>", "<\"\xC3\xBC\"@b>"}) {
        const std::optional<Path> path = take_path(text);
        ASSERT_TRUE(path);
        EXPECT_TRUE(path->has_8bit);
    }
}

TEST(Path, RefusesEightBitThatIsNotUtf8) {
    EXPECT_EQ(taken("<\xFF@b>"), "refused");
    EXPECT_EQ(taken("<a\xC3@b>"), "refused");
    EXPECT_EQ(taken("<\xED\xA0\x80@b>"), "refused");
}

TEST(Path, RefusesAbsurdAddresses) {
    for (const ByteView text :
         {"<@>", "<a@>", "<@b>", "<a@b@c>", "<a b@c>", "<a,b@c>", "<a@b,c>", "<a@[1.2.3.4>", "<a@[]>",
          "<a@[1]x>", "<a@b:c>", "<a@b>\r", "<a@(b)>", "<a\\b@c>", "<a@b;c>"}) {
        EXPECT_EQ(taken(text), "refused") << text;
    }
}

TEST(Path, HoldsItsLimit) {
    const std::string longest = std::string(64, 'l') + '@' + std::string(255, 'd');
    ASSERT_EQ(longest.size(), kMaxAddress);
    EXPECT_EQ(taken('<' + longest + '>'), longest + '|');
    EXPECT_EQ(taken('<' + longest + "d>"), "refused");
    EXPECT_TRUE(is_address(longest));
    EXPECT_FALSE(is_address(longest + 'd'));
    EXPECT_EQ(taken('<' + std::string(100'000, 'a') + '>'), "refused");
}

TEST(Path, IsAddressLooksAtTheWholeText) {
    EXPECT_TRUE(is_address("a@b"));
    EXPECT_TRUE(is_address("a..b@c")) << "exists in the field; the upstream judges";
    for (const ByteView text : {"", "<a@b>", "a@b ", " a@b", "a@b>", "a@"})
        EXPECT_FALSE(is_address(text)) << text;
}

}  // namespace
}  // namespace gatepost::smtp

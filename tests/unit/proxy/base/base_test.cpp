#include <string>

#include <gtest/gtest.h>

#include "proxy/base/base64.h"
#include "proxy/base/printable.h"
#include "proxy/base/scope_guard.h"
#include "proxy/base/secret.h"
#include "proxy/base/xtext.h"

namespace gatepost {
namespace {

std::string decoded(ByteView text) {
    const std::optional<Secret> secret = base64_decode(text);
    return secret ? std::string(secret->reveal()) : "(refused)";
}

TEST(Base64, RoundTripsEveryLengthAndOctet) {
    std::string octets;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(decoded(base64_encode(octets)), octets);
        octets += static_cast<char>(i);
    }
}

TEST(Base64, KnowsTheVectorsOfRfc4648) {
    EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
    EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
    EXPECT_EQ(decoded(""), "");
}

TEST(Base64, RefusesWhatIsNotCanonical) {
    for (const ByteView text :
         {"Z", "Zg", "Zg=", "Zm9v=", "Zg==Zg==", "Z=g=", "Zm 9", "Zh==", "Zm9=", "====", "Zm9v\n"}) {
        EXPECT_EQ(decoded(text), "(refused)") << text;
    }
}

TEST(Xtext, EncodesWhatIsNotPlain) {
    EXPECT_EQ(xtext_encode("a+b=c d\xC3\xA4"), "a+2Bb+3Dc+20d+C3+A4");
    EXPECT_EQ(xtext_decode("a+2Bb+3Dc+20d+C3+A4"), "a+b=c d\xC3\xA4");
}

TEST(Xtext, RefusesBadEscapesAndStrayOctets) {
    for (const ByteView text : {"+", "+2", "+2b", "+GG", "a b", "a=b", "\xC3"}) {
        EXPECT_EQ(xtext_decode(text), std::nullopt) << text;
    }
}

TEST(Printable, KeepsUtf8AndEscapesTheRest) {
    EXPECT_EQ(printable("a\r\n\"\\\x7F"), "a\\x0d\\x0a\\x22\\x5c\\x7f");
    EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
    EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b") << "C1 controls drive terminals";
    EXPECT_EQ(printable("\xFF\xC3"), "\\xff\\xc3");
    EXPECT_EQ(printable("\u2028"), "\\xe2\\x80\\xa8");
    EXPECT_EQ(printable("a\u202Eb"), "a\\xe2\\x80\\xaeb");
    EXPECT_EQ(printable(std::string(300, 'x'), 3), "xxx...");
}

TEST(Unseen, IsWhatActsOnALineOrATerminal) {
    for (const ByteView character :
         {"\n", "\x7F", "\u0080", "\u009F", "\u061C", "\u2000", "\u200B", "\u200E", "\u200F", "\u2028",
          "\u2029", "\u202A", "\u202E", "\u202F", "\u205F", "\u2066", "\u2069", "\u206F", "\uFEFF"}) {
        EXPECT_TRUE(is_unseen(character)) << printable(character);
    }
    for (const ByteView character : {" ", "~", "\u00A0", "\u00FC", "\u2010", "\u2019", "\u2027", "\u2030",
                                     "\u205E", "\u2070", "\u20AC", "\uFEFE", "\U0001F4EC"}) {
        EXPECT_FALSE(is_unseen(character)) << printable(character);
    }
}

TEST(CodePoint, IsTheNumberOfOneCharacter) {
    EXPECT_EQ(code_point("a"), U'a');
    EXPECT_EQ(code_point("\u00FC"), U'\u00FC');
    EXPECT_EQ(code_point("\u20AC"), U'\u20AC');
    EXPECT_EQ(code_point("\U0001F4EC"), U'\U0001F4EC');
}

TEST(Utf8, RefusesOverlongSurrogatesAndTooLarge) {
    EXPECT_TRUE(is_utf8("\xF0\x9F\x93\xAC"));
    for (const ByteView octets :
         {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82"}) {
        EXPECT_FALSE(is_utf8(octets));
    }
}

TEST(Secret, ComparesWholeContents) {
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
    EXPECT_FALSE(equal_in_constant_time("", "a"));
}

TEST(Secret, MovesLeaveNothingBehind) {
    Secret first("password");
    const Secret second = std::move(first);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): the promise under test
    EXPECT_EQ(second.reveal(), "password");
}

TEST(ScopeGuard, RunsOnceUnlessDismissed) {
    int runs = 0;
    {
        ScopeGuard guard([&] { ++runs; });
        ScopeGuard moved = std::move(guard);
        ScopeGuard dismissed([&] { ++runs; });
        dismissed.dismiss();
    }
    EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace gatepost

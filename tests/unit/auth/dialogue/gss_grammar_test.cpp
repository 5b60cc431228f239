#include <string>

#include <gtest/gtest.h>

#include "auth/dialogue/message.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;
using Check = MessageGrammar::Check;

const std::string kKerberos = "\x06\x09\x2A\x86\x48\x86\xF7\x12\x01\x02\x02"s;
const std::string kSpnego = "\x06\x06\x2B\x06\x01\x05\x05\x02"s;

std::string token(const std::string& body) {
    return "\x60"s + static_cast<char>(body.size()) + body;
}

Check first(const std::string& mechanism, const std::string& message) {
    return MessageGrammar(mechanism).next(message);
}

TEST(GssGrammar, TheFirstTokenIsFramedAndOfItsMechanism) {
    EXPECT_EQ(first("GSSAPI", token(kKerberos + "\x01")), Check::kGood);
    EXPECT_EQ(first("GSS-SPNEGO", token(kSpnego + "\xA0")), Check::kGood);
    const std::string body = kKerberos + std::string(300, 'x');
    EXPECT_EQ(first("GSSAPI", "\x60\x82\x01\x37" + body), Check::kGood) << "the long form of a length";
    EXPECT_EQ(first("GSSAPI", "\x60\x84\0\0\x01\x37"s + body), Check::kGood);
    for (const std::string& message :
         {""s, "\x60"s, "\x60\x00"s, "\x60\x80"s, "\x60\x85"s, "\x60\x82\x01"s, token(kKerberos),
          token(kSpnego + "x"), token(kKerberos + "x") + "x", token(kKerberos + "xx").substr(0, 14),
          "\x61" + token(kKerberos + "x").substr(1), "\x60\x85\0\0\0\x01\x37"s + body,
          "\x60\x82\x01\x38" + body, "NTLMSSP\0\x01\0\0\0"s}) {
        EXPECT_EQ(first("GSSAPI", message), Check::kMalformed) << message.size();
    }
    EXPECT_EQ(first("GSS-SPNEGO", token(kKerberos + "x")), Check::kMalformed);
}

TEST(GssGrammar, TheOthersAreTheEnginesUpToALimit) {
    for (const std::string& mechanism : {"GSSAPI"s, "GSS-SPNEGO"s}) {
        const std::string begin = token((mechanism == "GSSAPI" ? kKerberos : kSpnego) + "x");
        MessageGrammar grammar(mechanism);
        EXPECT_EQ(grammar.next(begin), Check::kGood);
        EXPECT_EQ(grammar.next(std::string(12288, '\0')), Check::kGood);
        for (int i = 2; i < 10; ++i) EXPECT_EQ(grammar.next(""), Check::kGood) << i;
        EXPECT_EQ(grammar.user(), "");
        EXPECT_FALSE(grammar.needs_record());
        EXPECT_EQ(grammar.next(""), Check::kMalformed) << "the eleventh";
        MessageGrammar refusing(mechanism);
        EXPECT_EQ(refusing.next(begin), Check::kGood);
        EXPECT_EQ(refusing.next(std::string(12289, 'x')), Check::kMalformed);
        EXPECT_EQ(refusing.next("x"), Check::kMalformed);
    }
}

TEST(GssGrammar, AFirstTokenCutAnywhereIsRefused) {
    const std::string whole = token(kKerberos + std::string(60, 'x'));
    for (std::size_t i = 0; i < whole.size(); ++i)
        EXPECT_EQ(first("GSSAPI", whole.substr(0, i)), Check::kMalformed) << i;
}

}  // namespace
}  // namespace gatepost::auth

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "auth/dialogue/message.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;
using Check = MessageGrammar::Check;

constexpr std::uint32_t kUnicode = 1;
constexpr std::uint32_t kOem = 2;

std::string little(std::uint32_t value, int size) {
    std::string text;
    for (int i = 0; i < size; ++i, value >>= 8) text += static_cast<char>(value & 0xFF);
    return text;
}

std::string negotiate(std::uint32_t flags) {
    return "NTLMSSP\0"s + little(1, 4) + little(flags, 4);
}

std::string wide(const std::string& text) {
    std::string octets;
    for (const char c : text) octets += {c, '\0'};
    return octets;
}

/// LM response, NT response, domain, user, workstation.
using Fields = std::array<std::string, 5>;

std::string authenticate(const Fields& fields) {
    std::string head = "NTLMSSP\0"s + little(3, 4);
    std::string body;
    for (const std::string& field : fields) {
        const auto size = static_cast<std::uint32_t>(field.size());
        head += little(size, 2) + little(size, 2) + little(52 + static_cast<std::uint32_t>(body.size()), 4);
        body += field;
    }
    return head + body;
}

const std::string kResponse(24, 'r');

Check second(const std::string& message, std::uint32_t flags = kUnicode) {
    MessageGrammar grammar("NTLM");
    EXPECT_EQ(grammar.next(negotiate(flags)), Check::kGood);
    return grammar.next(message);
}

TEST(NtlmGrammar, TheSecondMessageNamesTheUser) {
    for (const std::uint32_t flags : {kUnicode, kOem, kUnicode | kOem}) {
        MessageGrammar grammar("NTLM");
        EXPECT_EQ(grammar.next(negotiate(flags)), Check::kGood);
        EXPECT_FALSE(grammar.needs_record());
        EXPECT_EQ(grammar.user(), "");
        const bool is_wide = (flags & kUnicode) != 0;
        const std::string user = is_wide ? wide("ann@example.com") : "ann@example.com";
        const std::string message =
            authenticate({kResponse, kResponse + "v2", is_wide ? wide("DOM") : "DOM", user, ""});
        EXPECT_EQ(grammar.next(message), Check::kGood);
        EXPECT_EQ(grammar.user(), "ann@example.com") << "the domain is no part of it";
        EXPECT_TRUE(grammar.needs_record());
        EXPECT_EQ(grammar.next(message), Check::kMalformed) << "two messages, no more";
    }
}

TEST(NtlmGrammar, TheFirstIsOfItsFormAndTypeAndNoOther) {
    const std::string good = negotiate(kUnicode);
    EXPECT_EQ(MessageGrammar("NTLM").next(good + "whatever follows"), Check::kGood);
    for (const std::string& message :
         {""s, good.substr(0, 15), "n" + good.substr(1), "NTLMSSP\0"s + little(3, 4) + little(kUnicode, 4),
          authenticate({kResponse, kResponse, "", wide("ann"), ""}), good + std::string(4096, 'x')}) {
        MessageGrammar grammar("NTLM");
        EXPECT_EQ(grammar.next(message), Check::kMalformed) << message.size();
        EXPECT_EQ(grammar.next(good), Check::kMalformed);
    }
}

TEST(NtlmGrammar, ResponsesAndFieldsAreWhole) {
    const Fields good{kResponse, kResponse, "", wide("ann"), ""};
    EXPECT_EQ(second(authenticate(good)), Check::kGood);
    const auto with = [&](std::size_t index, const std::string& text) {
        Fields fields = good;
        fields[index] = text;
        return second(authenticate(fields));
    };
    EXPECT_EQ(with(0, ""), Check::kGood) << "LM is as good as nothing";
    EXPECT_EQ(with(0, "\0"s), Check::kMalformed) << "an anonymous one";
    EXPECT_EQ(with(1, ""), Check::kMalformed) << "LM alone is no password";
    EXPECT_EQ(with(1, kResponse.substr(1)), Check::kMalformed);
    EXPECT_EQ(with(2, "odd"), Check::kMalformed);
    EXPECT_EQ(with(3, "odd"), Check::kMalformed);
    EXPECT_EQ(second(negotiate(kUnicode) + std::string(64, 'x')), Check::kMalformed);
    const std::string whole = authenticate(good);
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NE(second(whole.substr(0, i)), Check::kGood) << i;
}

TEST(NtlmGrammar, NoFieldLiesElsewhere) {
    const std::string good = authenticate({kResponse, kResponse, wide("d"), wide("ann"), wide("w")});
    for (std::size_t field = 12; field < 52; field += 8) {
        for (const std::uint32_t offset :
             {0U, 51U, 4000U, 0xFFFFFFFFU, static_cast<std::uint32_t>(good.size())}) {
            std::string mutant = good;
            mutant.replace(field + 4, 4, little(offset, 4));
            EXPECT_EQ(second(mutant), Check::kMalformed) << field << ' ' << offset;
        }
        std::string mutant = good;
        mutant.replace(field, 2, "\xFF\xFF");
        EXPECT_EQ(second(mutant), Check::kMalformed) << field;
    }
}

TEST(NtlmGrammar, NamesThatLibsaslWouldTakeForOthersAreRefused) {
    for (const std::string& name :
         {""s, wide(" ann"), wide("a\0n"s), wide(std::string(256, 'x')), "\xFC\0"s, "a\x01"s})
        EXPECT_EQ(second(authenticate({kResponse, kResponse, "", name, ""})), Check::kUnacceptable)
            << base64_encode(name);
    EXPECT_EQ(second(authenticate({kResponse, kResponse, "", "gr\xC3\xBC\xC3\x9F", ""}), kOem),
              Check::kUnacceptable);
}

}  // namespace
}  // namespace gatepost::auth

#include "auth/dialogue/exchange.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;
using Kind = Turn::Kind;

std::string decoded(const Turn& turn) {
    return turn.step.message ? std::string(turn.step.message->reveal()) : "(none)";
}

Turn plain(const std::string& message) {
    return Exchange("PLAIN").begin(base64_encode(message));
}

TEST(ExchangeA6, PlainWithAndWithoutItsOwnAuthzidIsAStep) {
    for (const std::string& message :
         {"\0user\0pass"s, "user\0user\0pass"s, "\0gr\xC3\xBC\xC3\x9F\0p\xE4ss"s}) {
        const Turn turn = plain(message);
        EXPECT_EQ(turn.kind, Kind::kStep);
        EXPECT_TRUE(turn.step.is_first);
        EXPECT_EQ(turn.step.mechanism, "PLAIN");
        EXPECT_EQ(decoded(turn), message);
    }
}

TEST(ExchangeA6, PlainWithoutInitialResponseAsksAndThenTakesIt) {
    Exchange exchange("PLAIN");
    const Turn first = exchange.begin(std::nullopt);
    EXPECT_EQ(first.kind, Kind::kStep);
    EXPECT_TRUE(first.step.is_first);
    EXPECT_EQ(decoded(first), "(none)");
    EXPECT_EQ(exchange.user(), "");
    EXPECT_EQ(Exchange::challenge(""), "");
    const Turn second = exchange.line(base64_encode("\0user\0pass"s));
    EXPECT_EQ(second.kind, Kind::kStep);
    EXPECT_FALSE(second.step.is_first);
    EXPECT_EQ(exchange.user(), "user");
}

TEST(ExchangeA6, PlainThatActsForAnotherIsUnacceptable) {
    for (const std::string& message : {"boss\0user\0pass"s, "USER\0user\0pass"s, "user \0user\0pass"s}) {
        const Turn turn = plain(message);
        EXPECT_EQ(turn.kind, Kind::kUnacceptable);
        EXPECT_EQ(turn.reason, Reason::kNotAuthorized);
    }
}

TEST(ExchangeA6, PlainWithAnyOtherNumberOfNulsIsMalformed) {
    for (const std::string& message :
         {"user"s, "user\0pass"s, "\0user\0pa\0ss"s, "\0\0\0"s, "a\0user\0pass\0"s, "\0user"s}) {
        EXPECT_EQ(plain(message).kind, Kind::kMalformed) << base64_encode(message);
    }
    EXPECT_EQ(Exchange("PLAIN").begin("=").kind, Kind::kMalformed)
        << "an empty response is no message of PLAIN";
}

// Everything facts.md 1 found to leak, to be trimmed or to be cut by libraries stops here.
TEST(Exchange, NamesThatNobodyCanHaveAreUnacceptable) {
    for (const std::string& name :
         {""s, " "s, "   "s, " user"s, "user "s, "us\rer"s, "us\ner"s, "us\ter"s, "us\x7F"s, "us\xFF!"s,
          "\xC3"s, "\xC0\x80"s, "\xED\xA0\x80"s, "us\xC2\x85"s, "\xC2\xA0user"s, "user\xE3\x80\x80"s,
          std::string(256, 'x')}) {
        EXPECT_EQ(plain('\0' + name + "\0pass"s).kind, Kind::kUnacceptable) << base64_encode(name);
        EXPECT_EQ(Exchange("LOGIN").begin(name.empty() ? "=" : base64_encode(name)).kind,
                  Kind::kUnacceptable);
    }
    EXPECT_EQ(plain('\0' + std::string(255, 'x') + "\0pass"s).kind, Kind::kStep);
    EXPECT_EQ(Exchange("LOGIN").begin(base64_encode("a\0b"s)).kind, Kind::kUnacceptable);
}

TEST(Exchange, PasswordsThatNobodyCanHaveAreUnacceptable) {
    for (const std::string& password : {""s, "a\rb"s, "a\nb"s, "\x01"s, "\x7F"s, std::string(1025, 'x')}) {
        const Turn turn = plain("\0user\0"s + password);
        EXPECT_EQ(turn.kind, Kind::kUnacceptable) << base64_encode(password);
        EXPECT_EQ(turn.reason, Reason::kBadMessage);
        Exchange login("LOGIN");
        ASSERT_EQ(login.begin(base64_encode("user")).kind, Kind::kStep);
        EXPECT_EQ(login.line(base64_encode(password)).kind, Kind::kUnacceptable);
        EXPECT_EQ(login.user(), "user") << "the log still says whose";
    }
    for (const std::string& password : {" "s, " blanks belong to it "s, std::string(1024, 'x'), "p\xE4ss"s}) {
        EXPECT_EQ(plain("\0user\0"s + password).kind, Kind::kStep);
    }
}

TEST(ExchangeA4, LoginTakesUserThenPassword) {
    Exchange exchange("LOGIN");
    EXPECT_EQ(decoded(exchange.begin(std::nullopt)), "(none)");
    EXPECT_EQ(Exchange::challenge("Username:"), "VXNlcm5hbWU6");
    const Turn user = exchange.line("amRvZQ==");
    EXPECT_EQ(user.kind, Kind::kStep);
    EXPECT_EQ(decoded(user), "jdoe");
    EXPECT_EQ(exchange.user(), "jdoe");
    EXPECT_EQ(Exchange::challenge("Password:"), "UGFzc3dvcmQ6");
    const Turn password = exchange.line(base64_encode("se cret"));
    EXPECT_EQ(password.kind, Kind::kStep);
    EXPECT_EQ(decoded(password), "se cret");
    EXPECT_EQ(exchange.line(base64_encode("more")).kind, Kind::kMalformed) << "one message too many";
}

TEST(ExchangeA5, LoginTakesTheUserWithTheCommand) {
    Exchange exchange("LOGIN");
    const Turn user = exchange.begin("amRvZQ==");
    EXPECT_EQ(user.kind, Kind::kStep);
    EXPECT_TRUE(user.step.is_first);
    EXPECT_EQ(exchange.user(), "jdoe");
    EXPECT_FALSE(exchange.line(base64_encode("secret")).step.is_first);
}

TEST(ExchangeA7, AnAsteriskAloneCancels) {
    for (const std::string& mechanism : {"PLAIN"s, "LOGIN"s}) {
        Exchange exchange(mechanism);
        (void)exchange.begin(std::nullopt);
        EXPECT_EQ(exchange.line("*").kind, Kind::kCancelled);
    }
    Exchange after_user("LOGIN");
    (void)after_user.begin("amRvZQ==");
    EXPECT_EQ(after_user.line("*").kind, Kind::kCancelled);
    EXPECT_EQ(Exchange("LOGIN").begin("*").kind, Kind::kUndecodable)
        << "in the command itself it is no cancel";
}

TEST(ExchangeA8, WhatIsNotBase64IsUndecodableInEveryLine) {
    for (const std::string_view text :
         {"!", "Zg", "Zg=", "Zh==", "Zm9v Zg==", "**", "* ", " *", "Zm9v=", "\xC3\xA4", "===="}) {
        EXPECT_EQ(Exchange("PLAIN").begin(text).kind, Kind::kUndecodable) << text;
        Exchange exchange("PLAIN");
        (void)exchange.begin(std::nullopt);
        EXPECT_EQ(exchange.line(text).kind, Kind::kUndecodable) << text;
    }
    Exchange exchange("LOGIN");
    (void)exchange.begin(std::nullopt);
    EXPECT_EQ(exchange.line("=").kind, Kind::kUndecodable) << "\"=\" is for the command's line only";
    EXPECT_EQ(Exchange("PLAIN").begin("").kind, Kind::kUndecodable);
}

TEST(Exchange, AfterARefusalNothingMoreIsGood) {
    Exchange exchange("LOGIN");
    EXPECT_EQ(exchange.begin(base64_encode(" user")).kind, Kind::kUnacceptable);
    EXPECT_EQ(exchange.line(base64_encode("user")).kind, Kind::kMalformed);
    EXPECT_EQ(Exchange("CRAM-MD5").begin(base64_encode("user 0123")).kind, Kind::kMalformed)
        << "it begins with a challenge";
}

TEST(Exchange, EmptyLoginLinesAreUnacceptable) {
    Exchange exchange("LOGIN");
    (void)exchange.begin(std::nullopt);
    EXPECT_EQ(exchange.line("").kind, Kind::kUnacceptable);
}

TEST(AuthArgumentsA3, MechanismAndAtMostOneResponse) {
    const auto parsed = parse_auth_arguments("pLain AGEAYg==");
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->mechanism, "PLAIN") << "A2: case does not matter";
    EXPECT_EQ(parsed->initial, "AGEAYg==");
    EXPECT_EQ(parse_auth_arguments("LOGIN")->initial, std::nullopt);
    EXPECT_EQ(parse_auth_arguments(" LOGIN  ")->initial, std::nullopt) << "D8: blanks at the end are common";
    EXPECT_EQ(parse_auth_arguments("LOGIN =")->initial, "=");
    EXPECT_EQ(parse_auth_arguments("SCRAM-SHA-256_X9")->mechanism, "SCRAM-SHA-256_X9");
    EXPECT_TRUE(parse_auth_arguments(std::string(20, 'A')).has_value());
    for (const std::string_view bad :
         {"", " ", "PLAIN a b", "PLAIN  a", "PLA.IN", "PL\xC3\x84IN", "PLAIN\ta", "PLAIN=", "PLAIN a\tb"}) {
        EXPECT_FALSE(parse_auth_arguments(bad).has_value()) << bad;
    }
    EXPECT_FALSE(parse_auth_arguments(std::string(21, 'A')).has_value());
}

TEST(Mechanisms, PlaintextIsTheAnswerForWhatIsNotKnown) {
    EXPECT_TRUE(is_plaintext("PLAIN"));
    EXPECT_TRUE(is_plaintext("LOGIN"));
    EXPECT_TRUE(is_plaintext("FOOBAR"));
    EXPECT_EQ(find_mechanism("plain"), nullptr) << "names are upper case here";
    EXPECT_EQ(find_mechanism("LOGIN")->client_messages, 2);
}

TEST(Reason, EachHasItsOwnWord) {
    std::set<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Reason::kDeadline); ++i)
        words.insert(to_string(static_cast<Reason>(i)));
    EXPECT_EQ(words.size(), static_cast<std::size_t>(Reason::kDeadline) + 1);
}

}  // namespace
}  // namespace gatepost::auth

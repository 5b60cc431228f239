#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "auth/dialogue/exchange.h"
#include "auth/dialogue/message.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;
using Check = MessageGrammar::Check;
using Kind = Turn::Kind;

const std::string kCram = "tim b913a602c7eda7a495b4e6e7334d3890";  // RFC 2195
// RFC 2831 section 4, in pieces.
const std::string kUser = R"(username="chris")";
const std::string kRest =
    R"(,realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",)"
    R"(digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth)";
const std::string kDigest = "charset=utf-8," + kUser + kRest;

Check cram(const std::string& message) {
    return MessageGrammar("CRAM-MD5").next(message);
}

Check digest(const std::string& message) {
    return MessageGrammar("DIGEST-MD5").next(message);
}

std::string without(const std::string& part) {
    std::string rest = kDigest;
    const std::size_t at = rest.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return rest.erase(at, part.size());
}

std::string with(const std::string& part, const std::string& other) {
    std::string rest = kDigest;
    const std::size_t at = rest.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return rest.replace(at, part.size(), other);
}

TEST(CramGrammar, TheExampleOfTheRfc) {
    MessageGrammar grammar("CRAM-MD5");
    EXPECT_EQ(grammar.next(kCram), Check::kGood);
    EXPECT_EQ(grammar.user(), "tim");
    EXPECT_TRUE(grammar.needs_record());
    EXPECT_FALSE(grammar.has_password());
    EXPECT_EQ(grammar.authzid(), "");
    EXPECT_EQ(grammar.next(kCram), Check::kMalformed) << "one message, no more";
    EXPECT_FALSE(grammar.needs_record());
}

TEST(CramGrammar, TheLastBlankSeparates) {
    const std::string hash(32, 'A');
    MessageGrammar grammar("CRAM-MD5");
    EXPECT_EQ(grammar.next("Tim B. Lee " + hash), Check::kGood);
    EXPECT_EQ(grammar.user(), "Tim B. Lee");
    for (const std::string& message : {""s, " "s, hash, "tim"s, "tim "s, "tim" + hash, "tim\t" + hash,
                                       "tim " + hash + "0", "tim " + hash.substr(1), "tim " + hash + " ",
                                       "tim " + hash.substr(1) + "g", "tim " + hash + "\0"s}) {
        EXPECT_EQ(cram(message), Check::kMalformed) << message;
    }
    for (const std::string& name :
         {""s, " "s, "tim "s, " tim"s, "t\0m"s, "tim\n"s, "\xFF"s, std::string(256, 'x')})
        EXPECT_EQ(cram(name + " " + hash), Check::kUnacceptable) << base64_encode(name);
}

TEST(CramGrammar, EveryMutantIsRefusedOrNamesWhomItSays) {
    for (std::size_t i = 0; i < kCram.size(); ++i) {
        EXPECT_EQ(cram(kCram.substr(0, i)), Check::kMalformed);
        for (int octet = 0; octet < 256; ++octet) {
            std::string mutant = kCram;
            mutant[i] = static_cast<char>(octet);
            MessageGrammar grammar("CRAM-MD5");
            if (grammar.next(mutant) == Check::kGood) {
                EXPECT_EQ(grammar.user(), mutant.substr(0, 3));
            }
        }
    }
}

TEST(DigestGrammar, TheExampleOfTheRfc) {
    MessageGrammar grammar("DIGEST-MD5");
    EXPECT_EQ(grammar.next(kDigest), Check::kGood);
    EXPECT_EQ(grammar.user(), "chris") << "the realm is no part of it";
    EXPECT_EQ(grammar.realm(), "elwood.innosoft.com");
    EXPECT_EQ(grammar.authzid(), "");
    EXPECT_TRUE(grammar.needs_record());
    EXPECT_FALSE(grammar.has_password());
    EXPECT_EQ(grammar.next(""), Check::kGood) << "the answer to rspauth";
    EXPECT_FALSE(grammar.needs_record());
    EXPECT_EQ(grammar.next(""), Check::kMalformed);
}

TEST(DigestGrammar, TheAnswerToRspauthIsEmpty) {
    MessageGrammar grammar("DIGEST-MD5");
    ASSERT_EQ(grammar.next(kDigest), Check::kGood);
    EXPECT_EQ(grammar.next(kDigest), Check::kMalformed);
}

TEST(DigestGrammar, OtherSpellingsOfTheSame) {
    for (const std::string& message : {
             with("username=", "USERNAME="),
             with("username=\"chris\"", "username=chris"),
             with("username=\"chris\"", R"(username="c\h\ris")"),
             with("qop=auth", "qop=\"auth\""),
             with(",qop=auth", ""),
             with(",nonce", " ,\t nonce"),
             with("nc=", "nc = "),
             with(",nonce", ",,nonce"),
             " " + kDigest + " ,",
             kDigest + ",maxbuf=65536",
             kDigest + ",authzid=\"chris\"",
             kDigest + ",unknown=1,unknown=\"2,3\"",
             without("charset=utf-8,"),
             without(",realm=\"elwood.innosoft.com\""),
             with("\"elwood.innosoft.com\",", "\"\","),
         }) {
        MessageGrammar grammar("DIGEST-MD5");
        EXPECT_EQ(grammar.next(message), Check::kGood) << message;
        EXPECT_EQ(grammar.user(), "chris");
    }
}

TEST(DigestGrammar, WhatIsMissingTwiceOrOfAnotherFormIsMalformed) {
    for (const std::string& part :
         {"username=\"chris\","s, "nonce=\"OA6MG9tEQGm2hh\","s, "nc=00000001,"s,
          "cnonce=\"OA6MHXh6VqTrRk\","s, "digest-uri=\"imap/elwood.innosoft.com\","s,
          "response=d388dad90d4bbd760a152321f2143af7,"s}) {
        EXPECT_EQ(digest(without(part)), Check::kMalformed) << part;
        EXPECT_EQ(digest(part + kDigest), Check::kMalformed) << "twice: " << part;
    }
    for (const std::string& twice : {"realm=\"x\""s, "qop=auth"s, "charset=utf-8"s, "Username=\"chris\""s})
        EXPECT_EQ(digest(kDigest + "," + twice), Check::kMalformed) << twice;
    for (const std::string& message : {
             ""s,
             ","s,
             "username"s,
             "username="s,
             "username=\""s,
             "username=\"\\"s,
             with("\"chris\"", "\"chris"),
             with("\"chris\"", "\"chris\"x"),
             with("\"chris\"", "chr\"is"),
             with("\"chris\"", "chr\xC3\xAFs"),
             with("\"chris\"", "\"chr\0is\""s),
             with("\"chris\"", "\"chr\\\nis\""),
             with("nc=00000001", "nc=1"),
             with("nc=00000001", "nc=0000000G"),
             with("nc=00000001", "nc=000000001"),
             with("d388dad90d4bbd760a152321f2143af7", "D388DAD90D4BBD760A152321F2143AF7"),
             with("d388dad90d4bbd760a152321f2143af7", "d388"),
             with("qop=auth", "qop=auth-int"),
             with("qop=auth", "qop=\"\""),
             with("utf-8", "iso-8859-1"),
             with("\"OA6MG9tEQGm2hh\"", "\"\""),
             with("\"OA6MHXh6VqTrRk\"", "\"" + std::string(256, 'x') + "\""),
             with("qop=auth", "qop auth"),
             with("qop=auth", "qop=auth;"),
             kDigest + "\0"s,
             kDigest + ",cipher=rc4",
             kDigest + ",maxbuf=x",
             kDigest + ",maxbuf=999999999",
             kDigest + ",authzid=\"\"",
             kDigest + " x",
             kDigest + ",=x",
             kDigest + ",x=\"" + std::string(2048, 'x') + "\"",
         }) {
        EXPECT_EQ(digest(message), Check::kMalformed) << message;
    }
}

TEST(DigestGrammar, NamesThatNobodyCanHaveAreUnacceptable) {
    for (const std::string& name :
         {""s, " "s, "chris "s, " chris"s, "chr\tis"s, "chr\xFFis"s, "chr\xC2\x85s"s, std::string(256, 'x')})
        EXPECT_EQ(digest(with("\"chris\"", "\"" + name + "\"")), Check::kUnacceptable) << name;
    const std::string utf8 = with("\"chris\"", "\"chr\xC3\xAFs\"");
    EXPECT_EQ(digest(utf8), Check::kGood);
    EXPECT_EQ(digest(utf8.substr("charset=utf-8,"s.size())), Check::kGood) << "as libsasl's client sends it";
    MessageGrammar escaped("DIGEST-MD5");
    EXPECT_EQ(escaped.next(with("\"chris\"", R"("a\"b\\c, d=e")")), Check::kGood);
    EXPECT_EQ(escaped.user(), R"(a"b\c, d=e)");
}

TEST(DigestGrammar, ActingForAnotherIsUnacceptable) {
    MessageGrammar grammar("DIGEST-MD5");
    EXPECT_EQ(grammar.next(kDigest + ",authzid=\"boss\""), Check::kUnacceptable);
    EXPECT_EQ(grammar.reason(), Reason::kNotAuthorized);
    EXPECT_EQ(grammar.user(), "chris");
    MessageGrammar itself("DIGEST-MD5");
    EXPECT_EQ(itself.next(kDigest + ",authzid=\"chris\""), Check::kGood);
    EXPECT_EQ(itself.authzid(), "chris");
}

TEST(DigestGrammar, EveryMutantIsRefusedOrHasAnAcceptableName) {
    for (std::size_t i = 0; i < kDigest.size(); ++i) {
        for (int octet = 0; octet < 256; ++octet) {
            std::string mutant = kDigest;
            mutant[i] = static_cast<char>(octet);
            MessageGrammar grammar("DIGEST-MD5");
            if (grammar.next(mutant) == Check::kGood) {
                EXPECT_TRUE(is_acceptable_name(grammar.user())) << mutant;
            }
        }
        MessageGrammar grammar("DIGEST-MD5");
        const bool is_good = grammar.next(kDigest.substr(0, i)) == Check::kGood;
        EXPECT_EQ(is_good,
                  i == kDigest.size() - ",qop=auth"s.size() || i == kDigest.size() - "qop=auth"s.size())
            << i;
    }
}

TEST(ServerFirstExchange, BeginsWithoutAMessage) {
    for (const auto& [mechanism, message] :
         {std::pair{"CRAM-MD5"s, kCram}, std::pair{"DIGEST-MD5"s, kDigest}}) {
        Exchange exchange(mechanism);
        const Turn begun = exchange.begin(std::nullopt);
        EXPECT_EQ(begun.kind, Kind::kStep);
        EXPECT_TRUE(begun.step.is_first);
        EXPECT_FALSE(begun.step.message.has_value());
        EXPECT_EQ(exchange.line(base64_encode(message)).kind, Kind::kStep);
        EXPECT_EQ(exchange.line("").kind, mechanism == "CRAM-MD5" ? Kind::kMalformed : Kind::kStep);
        EXPECT_EQ(exchange.line("").kind, Kind::kMalformed);
    }
}

TEST(ServerFirstExchange, HasNoInitialResponse) {
    for (const auto& [mechanism, message] :
         {std::pair{"CRAM-MD5"s, kCram}, std::pair{"DIGEST-MD5"s, kDigest}}) {
        for (const std::string& initial : {base64_encode(message), "="s, ""s, "!"s}) {
            Exchange exchange(mechanism);
            const Turn turn = exchange.begin(initial);
            EXPECT_EQ(turn.kind, Kind::kMalformed) << initial;
            EXPECT_EQ(turn.reason, Reason::kBadMessage);
            EXPECT_EQ(exchange.user(), "");
            EXPECT_EQ(exchange.line(base64_encode(message)).kind, Kind::kMalformed) << "it is over";
        }
        Exchange cancelled(mechanism);
        (void)cancelled.begin(std::nullopt);
        EXPECT_EQ(cancelled.line("*").kind, Kind::kCancelled);
    }
}

}  // namespace
}  // namespace gatepost::auth

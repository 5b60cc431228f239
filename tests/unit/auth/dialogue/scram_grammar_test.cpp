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

// RFC 5802 section 5 and RFC 7677 section 3.
const std::string kFirst1 = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
const std::string kFinal1 =
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
const std::string kFirst256 = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const std::string kNonce256 = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kProof256 = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const std::string kFinal256 = "c=biws,r=" + kNonce256 + ",p=" + kProof256;

Check first(const std::string& message, const std::string& mechanism = "SCRAM-SHA-256") {
    return MessageGrammar(mechanism).next(message);
}

/// Of client-final behind `begin`.
Check final(const std::string& message, const std::string& begin = kFirst256,
            const std::string& mechanism = "SCRAM-SHA-256") {
    MessageGrammar grammar(mechanism);
    EXPECT_EQ(grammar.next(begin), Check::kGood) << begin;
    const Check check = grammar.next(message);
    EXPECT_FALSE(grammar.needs_record());
    if (check != Check::kGood) {
        EXPECT_EQ(grammar.next(""), Check::kMalformed) << "nothing more is good";
    }
    return check;
}

std::string bound_final(const std::string& decoded) {
    return "c=" + base64_encode(decoded) + ",r=" + kNonce256 + ",p=" + kProof256;
}

TEST(ScramGrammar, TheExamplesOfTheRfcs) {
    struct Example {
        std::string mechanism, first, final;
    };
    for (const Example& example :
         {Example{"SCRAM-SHA-1", kFirst1, kFinal1}, Example{"SCRAM-SHA-256", kFirst256, kFinal256}}) {
        MessageGrammar grammar(example.mechanism);
        EXPECT_FALSE(grammar.needs_record());
        EXPECT_EQ(grammar.next(example.first), Check::kGood);
        EXPECT_EQ(grammar.user(), "user");
        EXPECT_EQ(grammar.authzid(), "");
        EXPECT_EQ(grammar.binding_type(), "");
        EXPECT_TRUE(grammar.needs_record());
        EXPECT_FALSE(grammar.has_password());
        EXPECT_EQ(grammar.next(example.final), Check::kGood);
        EXPECT_FALSE(grammar.needs_record()) << "it is at hand since the first";
        EXPECT_EQ(grammar.next(""), Check::kGood) << "the answer to the server's signature";
        EXPECT_EQ(grammar.next(""), Check::kMalformed) << "one too many";
        EXPECT_EQ(grammar.reason(), Reason::kBadMessage);
        EXPECT_EQ(grammar.user(), "user");
    }
}

TEST(ScramGrammar, TheAnswerToTheServersSignatureIsEmpty) {
    MessageGrammar grammar("SCRAM-SHA-256");
    ASSERT_EQ(grammar.next(kFirst256), Check::kGood);
    ASSERT_EQ(grammar.next(kFinal256), Check::kGood);
    EXPECT_EQ(grammar.next("x"), Check::kMalformed);
    EXPECT_EQ(grammar.next(""), Check::kMalformed);
}

TEST(ScramGrammar, ClientFirstOfAnyOtherFormIsMalformed) {
    for (const std::string& message : {
             ""s,
             "n"s,
             "n,"s,
             "n,,"s,
             "n,,n=user"s,
             "n,,n=user,"s,
             "n,,n=user,r="s,
             "n,,n=user,r=abc,"s,
             "n,n=user,r=abc"s,
             "n=user,r=abc"s,
             ",,n=user,r=abc"s,
             "N,,n=user,r=abc"s,
             "Y,,n=user,r=abc"s,
             "F,n,,n=user,r=abc"s,
             "n,,r=abc,n=user"s,
             "n,,n=user,x=y,r=abc"s,
             "n,,m=ext,n=user,r=abc"s,
             "n,,n=user,r=abc,m=ext"s,
             "n,,n=user,r=abc,r=abc"s,
             "n,,n=user,r=abc,n=other"s,
             "n,,n=user,r=abc,x="s,
             "n,,n=user,r=abc,xy"s,
             "n,,n=user,r=abc,1=y"s,
             "n,,n=user,r=abc,x=\0"s,
             "n,,n=user,r=abc,x=\xFF"s,
             "n,,n=user,r=a c"s,
             "n,,n=user,r=abc\0"s,
             "n,,n=user,r=abc\n"s,
             "n,,n=user,r=\xC3\xBC"s,
             "n,,n=us=er,r=abc"s,
             "n,,n=user=,r=abc"s,
             "n,,n=user=2,r=abc"s,
             "n,,n=user=2c,r=abc"s,
             "n,,n=user=3d,r=abc"s,
             "n,user,n=user,r=abc"s,
             "n,a=,n=user,r=abc"s,
             "n,a=us=er,n=user,r=abc"s,
             "n,b=user,n=user,r=abc"s,
             "n,,n=user,r=" + std::string(256, 'x'),
             "n,,n=user,r=abc,x=" + std::string(4096, 'x'),
         }) {
        EXPECT_EQ(first(message), Check::kMalformed) << message;
    }
    EXPECT_EQ(first("n,,n=user,r=" + std::string(255, 'x')), Check::kGood);
    EXPECT_EQ(first("n,,n=user,r=abc,x=y,Z==="), Check::kGood) << "optional extensions are ignored";
}

TEST(ScramGrammar, NamesAreUnescapedAndThenHeldToTheRules) {
    MessageGrammar grammar("SCRAM-SHA-256");
    EXPECT_EQ(grammar.next("n,a=a=2Cb=3D=3Dc,n=a=2Cb=3D=3Dc,r=abc"), Check::kGood);
    EXPECT_EQ(grammar.user(), "a,b==c");
    EXPECT_EQ(grammar.authzid(), "a,b==c");
    EXPECT_EQ(first("n,,n=gr\xC3\xBC\xC3\x9F,r=abc"), Check::kGood);
    // As many octets as a name may have, each three on the wire.
    std::string longest;
    for (int i = 0; i < 255; ++i) longest += "=2C";
    EXPECT_EQ(first("n,a=" + longest + ",n=" + longest + ",r=" + std::string(255, 'x')), Check::kGood);
    for (const std::string& name : {""s, " "s, "user "s, " user"s, "us\0er"s, "us\ner"s, "us\xFF"s,
                                    "us\xC2\x85"s, std::string(256, 'x')}) {
        EXPECT_EQ(first("n,,n=" + name + ",r=abc"), Check::kUnacceptable) << base64_encode(name);
    }
}

TEST(ScramGrammar, ActingForAnotherIsUnacceptable) {
    for (const std::string& authzid : {"boss"s, "User"s, "user "s, "us=2Cer"s, "\xFF"s}) {
        MessageGrammar grammar("SCRAM-SHA-256");
        EXPECT_EQ(grammar.next("n,a=" + authzid + ",n=user,r=abc"), Check::kUnacceptable) << authzid;
        EXPECT_EQ(grammar.reason(), Reason::kNotAuthorized);
        EXPECT_EQ(grammar.user(), "user") << "the log still says who";
        EXPECT_EQ(grammar.authzid(), "");
        EXPECT_FALSE(grammar.needs_record());
        EXPECT_EQ(grammar.next(kFinal256), Check::kMalformed);
    }
}

// libsasl accepts a -PLUS with the flag "n" (facts.md 1).
TEST(ScramGrammar, ABindingGoesWithPlusAndOnlyWithPlus) {
    for (const std::string& mechanism : {"SCRAM-SHA-1"s, "SCRAM-SHA-256"s, "SCRAM-SHA-512"s}) {
        for (const std::string& flag : {"n"s, "y"s}) {
            EXPECT_EQ(first(flag + ",,n=user,r=abc", mechanism), Check::kGood);
            EXPECT_EQ(first(flag + ",,n=user,r=abc", mechanism + "-PLUS"), Check::kMalformed);
        }
        for (const std::string& type : {"tls-exporter"s, "tls-server-end-point"s, "tls-unique"s}) {
            MessageGrammar grammar(mechanism + "-PLUS");
            EXPECT_EQ(grammar.next("p=" + type + ",,n=user,r=abc"), Check::kGood);
            EXPECT_EQ(grammar.binding_type(), type);
            EXPECT_EQ(first("p=" + type + ",,n=user,r=abc", mechanism), Check::kMalformed);
        }
        for (const std::string& flag : {"p"s, "p="s, "p=tls"s, "p=tls-exporter2"s, "p=TLS-EXPORTER"s,
                                        "P=tls-exporter"s, "p=tls-exporter "s, "p=tls-exporter\0"s}) {
            EXPECT_EQ(first(flag + ",,n=user,r=abc", mechanism + "-PLUS"), Check::kMalformed) << flag;
        }
    }
    for (const std::string& unserved :
         {"SCRAM-SHA-224"s, "SCRAM-SHA-384"s, "SCRAM-SHA-384-PLUS"s, "SCRAM-MD5"s})
        EXPECT_EQ(first(kFirst256, unserved), Check::kMalformed);
}

TEST(ScramGrammar, ClientFinalRepeatsTheHeaderExactly) {
    EXPECT_EQ(final(bound_final("n,,")), Check::kGood);
    for (const std::string& header :
         {""s, "n"s, "n,"s, "y,,"s, "n,,x"s, "n,a=user,"s, "p=tls-exporter,,x"s, "n,,\0"s})
        EXPECT_EQ(final(bound_final(header)), Check::kMalformed) << header;
    const std::string with_authzid = "y,a=user,n=user,r=rOprNGfwEbeRWgbNEkqO";
    EXPECT_EQ(final(bound_final("y,a=user,"), with_authzid), Check::kGood);
    EXPECT_EQ(final(bound_final("y,,"), with_authzid), Check::kMalformed);
    EXPECT_EQ(final(bound_final("n,a=user,"), with_authzid), Check::kMalformed);
}

TEST(ScramGrammar, TheBindingStandsBehindTheHeader) {
    const std::string begin = "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const auto bound = [&](const std::string& decoded) {
        return final(bound_final(decoded), begin, "SCRAM-SHA-256-PLUS");
    };
    EXPECT_EQ(bound("p=tls-exporter,," + std::string(32, '\0')), Check::kGood);
    EXPECT_EQ(bound("p=tls-exporter,," + std::string(255, 'x')), Check::kGood);
    EXPECT_EQ(bound("p=tls-exporter,," + std::string(256, 'x')), Check::kMalformed);
    EXPECT_EQ(bound("p=tls-exporter,,"), Check::kMalformed) << "none is no binding";
    EXPECT_EQ(bound("p=tls-unique,," + std::string(32, 'x')), Check::kMalformed);
    EXPECT_EQ(bound("n,,"), Check::kMalformed);
}

TEST(ScramGrammar, ClientFinalOfAnyOtherFormIsMalformed) {
    const std::string nonce = ",r=" + kNonce256;
    const std::string proof = ",p=" + kProof256;
    for (const std::string& message : {
             ""s,
             "c=biws"s,
             "c=biws" + nonce,
             "c=biws" + proof,
             "c=biws" + proof + nonce,
             "r=" + kNonce256 + ",c=biws" + proof,
             "c=biw" + nonce + proof,
             "c=biws=" + nonce + proof,
             "c=" + nonce + proof,
             "c=biws,r=other" + proof,
             "c=biws,r=rOprNGfwEbeRWgbNEkqO" + proof,
             "c=biws,r=rOprNGfwEbeRWgbNEkqO\x7F" + proof,
             "c=biws,r=rOprNGfwEbeRWgbNEkqO" + std::string(1024, 'x') + proof,
             "c=biws" + nonce + ",p=",
             "c=biws" + nonce + ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
             "c=biws" + nonce + ",p=" + kProof256.substr(1),
             "c=biws" + nonce + proof + ",",
             "c=biws" + nonce + proof + ",x=y",
             "c=biws" + nonce + proof + proof,
             "c=biws" + nonce + ",m=y" + proof,
             "c=biws" + nonce + "," + proof,
             "c=biws" + nonce + proof + "\0"s,
             " c=biws" + nonce + proof,
         }) {
        EXPECT_EQ(final(message), Check::kMalformed) << message;
    }
    EXPECT_EQ(final("c=biws" + nonce + ",x=y" + proof), Check::kGood) << "optional extensions are ignored";
}

TEST(ScramGrammar, TheProofIsAsLongAsTheHash) {
    for (const auto& [mechanism, size] :
         {std::pair{"SCRAM-SHA-1"s, 20}, std::pair{"SCRAM-SHA-256"s, 32}, std::pair{"SCRAM-SHA-512"s, 64}}) {
        for (int octets = 0; octets < 80; ++octets) {
            const std::string proof = base64_encode(std::string(static_cast<std::size_t>(octets), 'x'));
            EXPECT_EQ(final("c=biws,r=" + kNonce256 + ",p=" + proof, kFirst256, mechanism) == Check::kGood,
                      octets == size);
        }
    }
}

// Whatever an octet is changed to, the mutant is refused or means what it says.
TEST(ScramGrammar, MutantsOfClientFirst) {
    for (std::size_t i = 0; i < kFirst256.size(); ++i) {
        for (int octet = 0; octet < 256; ++octet) {
            std::string mutant = kFirst256;
            mutant[i] = static_cast<char>(octet);
            MessageGrammar grammar("SCRAM-SHA-256");
            if (grammar.next(mutant) != Check::kGood) continue;
            EXPECT_TRUE(is_acceptable_name(grammar.user())) << mutant;
            EXPECT_TRUE(mutant.starts_with("n,,n=") || mutant.starts_with("y,,n=")) << mutant;
            EXPECT_EQ(mutant.find(grammar.user()), 5U) << mutant;
        }
    }
}

TEST(ScramGrammar, EveryClientFinalCutShortIsMalformed) {
    for (std::size_t size = 0; size < kFinal256.size(); ++size)
        EXPECT_EQ(final(kFinal256.substr(0, size)), Check::kMalformed) << size;
    for (std::size_t i = 0; i < kFinal256.size(); ++i) {
        std::string mutant = kFinal256;
        mutant[i] = '\0';
        EXPECT_EQ(final(mutant), Check::kMalformed) << i;
    }
}

TEST(ScramExchange, EndsWithAnEmptyLine) {
    Exchange exchange("SCRAM-SHA-256");
    EXPECT_EQ(exchange.begin(base64_encode(kFirst256)).kind, Turn::Kind::kStep);
    EXPECT_EQ(exchange.line(base64_encode(kFinal256)).kind, Turn::Kind::kStep);
    const Turn last = exchange.line("");
    EXPECT_EQ(last.kind, Turn::Kind::kStep);
    ASSERT_TRUE(last.step.message.has_value()) << "an empty message is not none";
    EXPECT_TRUE(last.step.message->empty());
    EXPECT_FALSE(last.step.is_first);
    EXPECT_EQ(exchange.line("").kind, Turn::Kind::kMalformed);
}

TEST(ScramExchange, TheFirstMessageMayFollowAnEmptyChallenge) {
    Exchange exchange("SCRAM-SHA-256");
    const Turn begun = exchange.begin(std::nullopt);
    EXPECT_EQ(begun.kind, Turn::Kind::kStep);
    EXPECT_FALSE(begun.step.message.has_value());
    EXPECT_EQ(exchange.line(base64_encode(kFirst256)).kind, Turn::Kind::kStep);
    EXPECT_EQ(exchange.line("*").kind, Turn::Kind::kCancelled);
    EXPECT_EQ(Exchange("SCRAM-SHA-256").begin("=").kind, Turn::Kind::kMalformed);
}

}  // namespace
}  // namespace gatepost::auth

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "auth/dialogue/exchange.h"
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;
using Check = MessageGrammar::Check;
using Kind = Turn::Kind;

TEST(ExternalExchange, TheCommandMayHoldTheAuthzidOrNothing) {
    for (const std::string& authzid : {""s, "fred"s, "fred@example.org"s, "gr\xC3\xBC\xC3\x9F"s}) {
        const std::string written = authzid.empty() ? "=" : base64_encode(authzid);
        Exchange exchange("EXTERNAL");
        const Turn turn = exchange.begin(written);
        EXPECT_EQ(turn.kind, Kind::kStep);
        ASSERT_TRUE(turn.step.message.has_value());
        EXPECT_EQ(turn.step.message->reveal(), authzid);
        EXPECT_EQ(exchange.user(), "") << "that is the certificate's to say";
        EXPECT_EQ(exchange.line("").kind, Kind::kMalformed) << "one message, no more";
    }
}

TEST(ExternalExchange, TheAuthzidMayFollowAnEmptyChallenge) {
    for (const std::string& authzid : {""s, "fred"s}) {
        Exchange exchange("EXTERNAL");
        const Turn begun = exchange.begin(std::nullopt);
        EXPECT_EQ(begun.kind, Kind::kStep);
        EXPECT_FALSE(begun.step.message.has_value());
        const Turn turn = exchange.line(base64_encode(authzid));
        EXPECT_EQ(turn.kind, Kind::kStep);
        EXPECT_FALSE(turn.step.is_first);
        EXPECT_EQ(exchange.line(base64_encode(authzid)).kind, Kind::kMalformed);
    }
}

TEST(ExternalGrammar, SaysForWhom) {
    MessageGrammar grammar("EXTERNAL");
    EXPECT_EQ(grammar.next("fred"), Check::kGood);
    EXPECT_EQ(grammar.authzid(), "fred");
    EXPECT_EQ(grammar.user(), "");
    EXPECT_FALSE(grammar.needs_record());
    for (const std::string& bad : {" fred"s, "fred "s, "fr\0d"s, "fr\rd"s, "\xFF"s, std::string(256, 'x')}) {
        MessageGrammar refusing("EXTERNAL");
        EXPECT_EQ(refusing.next(bad), Check::kUnacceptable) << base64_encode(bad);
        EXPECT_EQ(refusing.authzid(), "");
    }
}

TEST(MessageGrammar, SaysWhichStepNeedsTheRecord) {
    MessageGrammar plain("PLAIN");
    EXPECT_EQ(plain.next("user\0user\0pass"s), Check::kGood);
    EXPECT_TRUE(plain.needs_record() && plain.has_password());
    EXPECT_EQ(plain.authzid(), "user");
    EXPECT_EQ(plain.next(""), Check::kMalformed);
    EXPECT_FALSE(plain.needs_record() || plain.has_password()) << "about the last message only";
    MessageGrammar login("LOGIN");
    EXPECT_EQ(login.next("user"), Check::kGood);
    EXPECT_FALSE(login.needs_record() || login.has_password());
    EXPECT_EQ(login.next("pass"), Check::kGood);
    EXPECT_TRUE(login.needs_record() && login.has_password());
}

TEST(Mechanisms, TheTableIsWholeAndConsistent) {
    for (const Mechanism& mechanism : known_mechanisms()) {
        EXPECT_GE(mechanism.client_messages, 1) << mechanism.name;
        EXPECT_EQ(std::ranges::count(known_mechanisms(), mechanism.name, &Mechanism::name), 1)
            << mechanism.name;
        EXPECT_EQ(mechanism.needs_binding, mechanism.name.ends_with("-PLUS")) << mechanism.name;
        EXPECT_EQ(mechanism.proof_size != 0, mechanism.name.starts_with("SCRAM-")) << mechanism.name;
        EXPECT_EQ(mechanism.is_plaintext, mechanism.name == "PLAIN" || mechanism.name == "LOGIN");
        EXPECT_EQ(is_plaintext(mechanism.name), mechanism.is_plaintext);
        EXPECT_EQ(mechanism.server_first, mechanism.name.ends_with("-MD5")) << mechanism.name;
        EXPECT_LE(mechanism.name.size(), 20U) << "RFC 4422 section 3.1";
    }
    EXPECT_EQ(known_mechanisms().size(), 14U);
    EXPECT_TRUE(find_mechanism("GSSAPI")->asks_elsewhere);
    EXPECT_FALSE(find_mechanism("NTLM")->asks_elsewhere);
    EXPECT_TRUE(is_plaintext("SCRAM-SHA-384")) << "not one of ours: the safe side";
}

}  // namespace
}  // namespace gatepost::auth

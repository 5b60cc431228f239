// Every mechanism with libsasl's own client on the other side, through the verifier and the engine as in the
// server.
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include "auth/check/verifier.h"
#include "auth/cyrus/sasl_library.h"
#include "tests/fakes/auth_fakes.h"
#include "tests/unit/auth/cyrus/library.h"
#include "tests/unit/auth/cyrus/sasl_client.h"

namespace gatepost::auth {
namespace {

std::string record(Scheme scheme) {
    return std::string(Record::make(scheme, "pencil")->text().reveal());
}

class MechanismsTest : public ::testing::Test {
  protected:
    MechanismsTest() {
        store_->add("sha1", record(Scheme::kScramSha1));
        store_->add("user", record(Scheme::kScramSha256));
        store_->add("a,b=c", record(Scheme::kScramSha256));
        store_->add("sha512", record(Scheme::kScramSha512));
        store_->add("plain", "{PLAIN}pencil");
        store_->add("gone", record(Scheme::kScramSha256), true);
        store_->add("cert@example.org", "{PLAIN}whatever it is");
        channel_ = {
            .exporter = std::string(32, 'x'), .end_point = std::string(32, 'e'), .certificate_name = {}};
    }
    ~MechanismsTest() override { pool_.stop(); }

    Verdict step(const std::string& mechanism, bool is_first, std::optional<std::string> message) {
        std::optional<Secret> secret;
        if (message) secret.emplace(*message);
        verifier_.step({1}, {.mechanism = mechanism,
                             .is_first = is_first,
                             .message = std::move(secret),
                             .channel = is_first ? channel_ : Channel{}});
        EXPECT_TRUE(home_.run_until([&] { return !receiver_.verdicts.empty(); }));
        Verdict verdict = std::move(receiver_.verdicts.front().second);
        receiver_.verdicts.clear();
        return verdict;
    }

    /// The whole exchange; the last verdict, and in `flow_` how many challenges there were.
    Verdict log_in(const std::string& mechanism, SaslClient::Facts facts) {
        SaslClient client(mechanism, std::move(facts));
        Verdict verdict = step(mechanism, true, client.start());
        for (flow_ = 0; verdict.outcome == Outcome::kChallenge && flow_ < 5; ++flow_)
            verdict = step(mechanism, false, client.step(verdict.challenge));
        return verdict;
    }

    /// So far; a job is counted only after its verdict was posted.
    std::uint64_t steps_in_pool() {
        while (pool_.counts().running != 0 || pool_.counts().waiting != 0) std::this_thread::yield();
        return pool_.counts().done;
    }

    FakeExecutor home_;
    FakeReceiver receiver_;
    CyrusEngine engine_{*Library::library, "mail.example.org"};
    std::shared_ptr<FakeStore> store_ = std::make_shared<FakeStore>();
    std::unique_ptr<VerifyCache> cache_ = std::move(*VerifyCache::make({}));
    ScramFake fake_ = std::move(*ScramFake::make_random());
    VerifyPool pool_{{.threads = 1}};
    StoreVerifier verifier_{{.home = home_,
                             .receiver = receiver_,
                             .engine = engine_,
                             .pool = pool_,
                             .cache = *cache_,
                             .fake = fake_,
                             .stores = {{"local", store_}},
                             .realm = "mail.example.org"}};
    Channel channel_;
    int flow_ = 0;
};

TEST_F(MechanismsTest, EachScramFromItsOwnStoredKeys) {
    for (const auto& [mechanism, user] :
         {std::pair("SCRAM-SHA-1", "sha1"), std::pair("SCRAM-SHA-256", "user"),
          std::pair("SCRAM-SHA-512", "sha512"), std::pair("SCRAM-SHA-256", "a,b=c")}) {
        channel_ = {};  // with a binding at hand, its flag "n" stays "n": it has none itself
        const Verdict verdict = log_in(mechanism, {.user = user, .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << mechanism << ' ' << to_string(verdict.reason);
        EXPECT_EQ(verdict.identity.user, user);
        EXPECT_EQ(verdict.identity.mechanism, mechanism);
        EXPECT_EQ(verdict.identity.backend, "local");
        EXPECT_EQ(flow_, 2) << "server-first, and its signature that an empty line answers";
        EXPECT_EQ(log_in(mechanism, {.user = user, .password = "pencils"}).outcome, Outcome::kRejected);
    }
    EXPECT_EQ(verifier_.open_exchanges(), 0U);
}

TEST_F(MechanismsTest, TwoRecordsEachForItsMechanisms) {
    channel_ = {};
    store_->add("both", "{PLAIN}of the record", false, record(Scheme::kScramSha256));
    EXPECT_EQ(log_in("SCRAM-SHA-256", {.user = "both", .password = "pencil"}).outcome, Outcome::kAccepted);
    EXPECT_EQ(log_in("SCRAM-SHA-256", {.user = "both", .password = "of the record"}).outcome,
              Outcome::kRejected);
    EXPECT_EQ(log_in("CRAM-MD5", {.user = "both", .password = "of the record"}).outcome, Outcome::kAccepted);
    EXPECT_EQ(log_in("PLAIN", {.user = "both", .password = "of the record"}).outcome, Outcome::kAccepted);
    EXPECT_EQ(log_in("PLAIN", {.user = "both", .password = "pencil"}).outcome, Outcome::kRejected);
    EXPECT_EQ(log_in("SCRAM-SHA-1", {.user = "both", .password = "pencil"}).reason, Reason::kWrongPassword);
    EXPECT_EQ(log_in("SCRAM-SHA-1", {.user = "both", .password = "of the record"}).outcome,
              Outcome::kAccepted)
        << "keys are made from the password";

    store_->add("both", "{PLAIN}of the record", false, "{SCRAM-SHA-256}4096,garbled");
    EXPECT_EQ(log_in("SCRAM-SHA-256", {.user = "both", .password = "pencil"}).reason, Reason::kBadRecord);
    EXPECT_EQ(log_in("PLAIN", {.user = "both", .password = "of the record"}).outcome, Outcome::kAccepted);
}

TEST_F(MechanismsTest, ScramBoundToTheChannel) {
    for (const std::string type : {"tls-exporter", "tls-server-end-point"}) {
        for (const auto& [mechanism, user] :
             {std::pair("SCRAM-SHA-256-PLUS", "user"), std::pair("SCRAM-SHA-1-PLUS", "sha1"),
              std::pair("SCRAM-SHA-512-PLUS", "sha512")}) {
            const std::string octets(32, type == "tls-exporter" ? 'x' : 'e');
            const SaslClient::Facts right{
                .user = user, .password = "pencil", .binding_type = type, .binding = octets};
            const Verdict verdict = log_in(mechanism, right);
            EXPECT_EQ(verdict.outcome, Outcome::kAccepted)
                << mechanism << ' ' << type << ' ' << to_string(verdict.reason);
            SaslClient::Facts other = right;
            other.binding = std::string(32, 'o');
            const Verdict refused = log_in(mechanism, other);
            EXPECT_EQ(refused.outcome, Outcome::kRejected) << "somebody in between";
            EXPECT_EQ(refused.reason, Reason::kDowngraded);
        }
    }
}

TEST_F(MechanismsTest, DowngradesAreCaught) {
    // "y": the client could bind, and was told that we cannot.
    EXPECT_EQ(step("SCRAM-SHA-256", true, "y,,n=user,r=abcdef").reason, Reason::kDowngraded);
    EXPECT_EQ(step("SCRAM-SHA-256-PLUS", true, "n,,n=user,r=abcdef").outcome, Outcome::kMalformed);
    EXPECT_EQ(step("SCRAM-SHA-256-PLUS", true, "y,,n=user,r=abcdef").outcome, Outcome::kMalformed);
    EXPECT_EQ(step("SCRAM-SHA-256", true, "p=tls-exporter,,n=user,r=abcdef").outcome, Outcome::kMalformed);
    channel_ = {};
    EXPECT_EQ(step("SCRAM-SHA-256-PLUS", true, "p=tls-exporter,,n=user,r=abcdef").outcome,
              Outcome::kMalformed);
    EXPECT_EQ(step("SCRAM-SHA-256", true, "y,,n=user,r=abcdef").outcome, Outcome::kChallenge);
}

// decisions.md 15: by flow and reply an unknown user, a disabled one and one whose record cannot serve are
// one.
TEST_F(MechanismsTest, StrangersLookLikeUsersToScram) {
    channel_ = {};
    const auto first = [&](const std::string& user) {
        return step("SCRAM-SHA-256", true, "n,,n=" + user + ",r=abcdef").challenge;
    };
    const std::string stranger = first("stranger");
    const auto salt_on = [](const std::string& text) { return text.substr(text.find(",s=")); };
    EXPECT_EQ(salt_on(stranger), salt_on(first("stranger"))) << "the same salt each time";
    EXPECT_NE(salt_on(stranger), salt_on(first("stranger2")));
    EXPECT_EQ(salt_on(first("user")).size(), salt_on(stranger).size());
    for (const auto& [user, reason] :
         {std::pair("stranger", Reason::kUnknownUser), std::pair("sha1", Reason::kWrongRecord),
          std::pair("gone", Reason::kDisabled)}) {
        const Verdict verdict = log_in("SCRAM-SHA-256", {.user = user, .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << user;
        EXPECT_EQ(verdict.reason, reason) << user;
    }
    EXPECT_EQ(log_in("SCRAM-SHA-256", {.user = "gone", .password = "wrong"}).reason, Reason::kWrongPassword)
        << "only who knows the password learns it";
}

TEST_F(MechanismsTest, EachScramFromThePasswordItself) {
    store_->add("off", "{PLAIN}pencil", true);
    for (const std::string mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
        channel_ = {};
        const std::uint64_t before = steps_in_pool();
        const Verdict verdict = log_in(mechanism, {.user = "plain", .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << mechanism << ' ' << to_string(verdict.reason);
        EXPECT_EQ(steps_in_pool(), before + 1) << "the step that makes the keys is the pool's, no other";
        EXPECT_EQ(log_in(mechanism, {.user = "plain", .password = "pencils"}).reason, Reason::kWrongPassword);
        EXPECT_EQ(log_in(mechanism, {.user = "off", .password = "pencil"}).reason, Reason::kDisabled);
        channel_.exporter = std::string(32, 'x');
        const SaslClient::Facts bound{.user = "plain",
                                      .password = "pencil",
                                      .binding_type = "tls-exporter",
                                      .binding = channel_.exporter};
        EXPECT_EQ(log_in(mechanism + "-PLUS", bound).outcome, Outcome::kAccepted) << mechanism;
    }
}

// A store of {PLAIN} records gives one of them for strangers: it shows nothing, and serves nobody.
TEST_F(MechanismsTest, StrangersLookLikeUsersOfPlainRecordsToScram) {
    channel_ = {};
    auto stand_in = std::make_shared<StoredCredential>();
    stand_in->record = Secret("{PLAIN}pencil");
    store_->stand_in = stand_in;
    const auto first = [&](const std::string& user) {
        const std::uint64_t before = steps_in_pool();
        const std::string challenge = step("SCRAM-SHA-256", true, "n,,n=" + user + ",r=abcdef").challenge;
        EXPECT_EQ(steps_in_pool(), before + 1) << user << " costs what the others do";
        return challenge.substr(challenge.find(",s="));
    };
    const std::string stranger = first("stranger");
    EXPECT_EQ(stranger, first("stranger")) << "the same salt each time";
    EXPECT_NE(stranger, first("stranger2"));
    EXPECT_EQ(first("plain"), first("plain"));
    EXPECT_EQ(stranger.substr(stranger.find(",i=")), ",i=4096");
    EXPECT_EQ(first("plain").size(), stranger.size());
    EXPECT_TRUE(first("plain").ends_with(",i=4096"));
    const Verdict verdict = log_in("SCRAM-SHA-256", {.user = "stranger", .password = "pencil"});
    EXPECT_EQ(verdict.outcome, Outcome::kRejected) << "not even with the password of the stand-in";
    EXPECT_EQ(verdict.reason, Reason::kUnknownUser);
}

TEST_F(MechanismsTest, CramMd5FromPlainRecordsA1) {
    const Verdict verdict = log_in("CRAM-MD5", {.user = "plain", .password = "pencil"});
    EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << to_string(verdict.reason);
    EXPECT_EQ(verdict.identity.user, "plain");
    EXPECT_EQ(flow_, 1);
    EXPECT_EQ(log_in("CRAM-MD5", {.user = "plain", .password = "wrong"}).reason, Reason::kWrongPassword);
    EXPECT_EQ(log_in("CRAM-MD5", {.user = "user", .password = "pencil"}).reason, Reason::kWrongRecord);
    EXPECT_EQ(log_in("CRAM-MD5", {.user = "nobody", .password = "pencil"}).reason, Reason::kUnknownUser);
}

TEST_F(MechanismsTest, DigestMd5FromPlainRecords) {
    store_->add("ann@example.com", "{PLAIN}pencil");
    store_->add("gone plain", "{PLAIN}pencil", true);
    for (const std::string user : {"plain", "ann@example.com"}) {
        const Verdict verdict = log_in("DIGEST-MD5", {.user = user, .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << user << ' ' << to_string(verdict.reason);
        EXPECT_EQ(verdict.identity.user, user);
        EXPECT_EQ(verdict.identity.backend, "local");
        EXPECT_EQ(flow_, 2) << "rspauth is one more challenge, and an empty line answers it";
    }
    for (const auto& [user, password, reason] : {std::tuple("plain", "wrong", Reason::kWrongPassword),
                                                 std::tuple("user", "pencil", Reason::kWrongRecord),
                                                 std::tuple("nobody", "pencil", Reason::kUnknownUser),
                                                 std::tuple("gone plain", "wrong", Reason::kWrongPassword),
                                                 std::tuple("gone plain", "pencil", Reason::kDisabled)}) {
        const Verdict verdict = log_in("DIGEST-MD5", {.user = user, .password = password});
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << user;
        EXPECT_EQ(verdict.reason, reason) << user;
        EXPECT_LE(flow_, 2) << user;
    }
}

TEST_F(MechanismsTest, DigestMd5OffersOurRealmAndNoSecurityLayer) {
    const Verdict offer = step("DIGEST-MD5", true, std::nullopt);
    EXPECT_NE(offer.challenge.find("realm=\"mail.example.org\""), std::string::npos) << offer.challenge;
    EXPECT_NE(offer.challenge.find("qop=\"auth\""), std::string::npos) << offer.challenge;
    EXPECT_EQ(offer.challenge.find("cipher"), std::string::npos) << offer.challenge;
    const std::string rest =
        R"(,nonce="n",nc=00000001,cnonce="c",digest-uri="smtp/x",response=d388dad90d4bbd760a152321f2143af7)";
    EXPECT_EQ(step("DIGEST-MD5", false, R"(username="plain",realm="elsewhere")" + rest).reason,
              Reason::kNotAuthorized);
    for (const std::string realm : {"", R"(,realm="")", R"(,realm="mail.example.org")"}) {
        EXPECT_EQ(step("DIGEST-MD5", true, std::nullopt).outcome, Outcome::kChallenge);
        EXPECT_EQ(step("DIGEST-MD5", false, R"(username="plain")" + realm + rest).reason,
                  Reason::kWrongPassword)
            << realm << ": another nonce than ours";
    }
}

TEST_F(MechanismsTest, NtlmFromPlainRecords) {
    store_->add("ann@example.com", "{PLAIN}pencil");
    store_->add("gone plain", "{PLAIN}pencil", true);
    for (const std::string user : {"plain", "ann@example.com"}) {
        const Verdict verdict = log_in("NTLM", {.user = user, .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << user << ' ' << to_string(verdict.reason);
        EXPECT_EQ(verdict.identity.user, user);
        EXPECT_EQ(flow_, 1);
    }
    for (const auto& [user, password, reason] : {std::tuple("plain", "PENCIL", Reason::kWrongPassword),
                                                 std::tuple("user", "pencil", Reason::kWrongRecord),
                                                 std::tuple("nobody", "pencil", Reason::kUnknownUser),
                                                 std::tuple("gone plain", "wrong", Reason::kWrongPassword),
                                                 std::tuple("gone plain", "pencil", Reason::kDisabled)}) {
        const Verdict verdict = log_in("NTLM", {.user = user, .password = password});
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << user;
        EXPECT_EQ(verdict.reason, reason) << user;
        EXPECT_EQ(flow_, 1) << user;
    }
    EXPECT_EQ(step("NTLM", true, std::nullopt).challenge, "");
    EXPECT_EQ(step("NTLM", false, "NTLMSSP").outcome, Outcome::kMalformed);
}

TEST_F(MechanismsTest, ExternalIsWhomTheCertificateNames) {
    EXPECT_NE(step("EXTERNAL", true, "").outcome, Outcome::kAccepted) << "no certificate";
    channel_.certificate_name = "cert@example.org";
    EXPECT_EQ(step("EXTERNAL", true, "").outcome, Outcome::kAccepted);
    EXPECT_EQ(step("EXTERNAL", true, "cert@example.org").outcome, Outcome::kAccepted);
    EXPECT_EQ(step("EXTERNAL", true, std::nullopt).outcome, Outcome::kChallenge);
    EXPECT_EQ(step("EXTERNAL", false, "").identity.user, "cert@example.org");
    store_->add("bare", "");
    channel_.certificate_name = "bare";
    EXPECT_EQ(step("EXTERNAL", true, "").outcome, Outcome::kAccepted) << "a certificate needs no record";
    channel_.certificate_name = "cert@example.org";
    EXPECT_EQ(step("EXTERNAL", true, "boss@example.org").outcome, Outcome::kRejected);
    channel_.certificate_name = "gone";
    EXPECT_EQ(step("EXTERNAL", true, "").reason, Reason::kDisabled);
    channel_.certificate_name = "stranger";
    EXPECT_EQ(step("EXTERNAL", true, "").reason, Reason::kUnknownUser);
}

TEST_F(MechanismsTest, AStoreThatCannotAnswerIsNobodysFailure) {
    store_->is_down = true;
    channel_ = {.exporter = {}, .end_point = {}, .certificate_name = "cert@example.org"};
    for (const std::string mechanism : {"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "SCRAM-SHA-1",
                                        "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
        const Verdict verdict = log_in(mechanism, {.user = "plain", .password = "pencil"});
        EXPECT_EQ(verdict.outcome, Outcome::kUnavailable) << mechanism;
        EXPECT_EQ(verdict.reason, Reason::kStoreFailed) << mechanism;
    }
    EXPECT_EQ(step("EXTERNAL", true, "").outcome, Outcome::kUnavailable);
    EXPECT_EQ(verifier_.open_exchanges(), 0U);
}

TEST_F(MechanismsTest, PlainAndLoginWithSomebodyElsesClient) {
    for (const std::string mechanism : {"PLAIN", "LOGIN"}) {
        EXPECT_EQ(log_in(mechanism, {.user = "user", .password = "pencil"}).outcome, Outcome::kAccepted)
            << mechanism;
        EXPECT_EQ(log_in(mechanism, {.user = "user", .password = "wrong"}).outcome, Outcome::kRejected)
            << mechanism;
    }
    EXPECT_EQ(log_in("PLAIN", {.user = "user", .password = "pencil", .acts_for = "plain"}).reason,
              Reason::kNotAuthorized);
}

}  // namespace
}  // namespace gatepost::auth

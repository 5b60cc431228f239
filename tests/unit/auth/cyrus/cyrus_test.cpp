#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "auth/check/verifier.h"
#include "auth/cyrus/sasl_exchange.h"
#include "auth/cyrus/sasl_library.h"
#include "tests/fakes/auth_fakes.h"
#include "tests/unit/auth/cyrus/library.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;

/// Knows one user; remembers what it was asked.
class OnePassword final : public PasswordCheck {
  public:
    bool matches(std::string_view user, ByteView password) override {
        asked += std::string(user) + "/" + std::string(password) + ";";
        return user == "user" && password == "hunter2";
    }
    Secret scram_keys(std::string_view) override { return {}; }
    Secret plain_password() override { return {}; }
    std::string asked;
};

class CyrusTest : public ::testing::Test {
  protected:
    Verdict plain(const std::string& message) {
        return engine_.begin("PLAIN", {})->step(Secret(message), check_);
    }

    CyrusEngine engine_{*Library::library, "mail.example.org"};
    OnePassword check_;
};

TEST_F(CyrusTest, HasWhatWasAskedForAndNothingElse) {
    EXPECT_NE(engine_.begin("PLAIN", {}), nullptr);
    EXPECT_NE(engine_.begin("LOGIN", {}), nullptr);
    for (const std::string_view name : {"ANONYMOUS", "SRP", "GSSAPI", "OTP", "plain", ""}) {
        EXPECT_EQ(engine_.begin(name, {}), nullptr) << name;
    }
    EXPECT_EQ(SaslLibrary::version().substr(0, 4), "2.1.");
}

// Keys or a password that were never served cannot have been proved.
TEST_F(CyrusTest, WithoutARecordNoMechanismAccepts) {
    for (const std::string_view name : {"SCRAM-SHA-256", "CRAM-MD5"}) {
        const auto exchange = engine_.begin(name, {});
        static_cast<void>(exchange->step(std::nullopt, check_));
        const Verdict verdict = exchange->step(Secret("user 0123456789abcdef0123456789abcdef"), check_);
        EXPECT_NE(verdict.outcome, Outcome::kAccepted) << name;
    }
}

TEST_F(CyrusTest, PlainA6) {
    const Verdict verdict = plain("\0user\0hunter2"s);
    EXPECT_EQ(verdict.outcome, Outcome::kAccepted);
    EXPECT_EQ(verdict.identity.user, "user");
    EXPECT_EQ(check_.asked, "user/hunter2;");
    EXPECT_EQ(plain("user\0user\0hunter2"s).outcome, Outcome::kAccepted);
    EXPECT_EQ(plain("\0user\0hunter"s).outcome, Outcome::kRejected);
    EXPECT_EQ(plain("\0nobody\0hunter2"s).outcome, Outcome::kRejected);
    const Verdict boss = plain("boss\0user\0hunter2"s);
    EXPECT_EQ(boss.outcome, Outcome::kRejected);
    EXPECT_EQ(boss.reason, Reason::kNotAuthorized);
    EXPECT_EQ(plain("user"s).outcome, Outcome::kMalformed);
}

TEST_F(CyrusTest, PlainWithoutInitialResponseIsAskedForIt) {
    const auto exchange = engine_.begin("PLAIN", {});
    const Verdict asked = exchange->step(std::nullopt, check_);
    EXPECT_EQ(asked.outcome, Outcome::kChallenge);
    EXPECT_EQ(asked.challenge, "");
    EXPECT_EQ(exchange->step(Secret("\0user\0hunter2"s), check_).outcome, Outcome::kAccepted);
}

TEST_F(CyrusTest, LoginA4AndA5) {
    const auto exchange = engine_.begin("LOGIN", {});
    EXPECT_EQ(exchange->step(std::nullopt, check_).challenge, "Username:");
    EXPECT_EQ(exchange->step(Secret("user"), check_).challenge, "Password:");
    const Verdict verdict = exchange->step(Secret("hunter2"), check_);
    EXPECT_EQ(verdict.outcome, Outcome::kAccepted);
    EXPECT_EQ(verdict.identity.user, "user");

    const auto at_once = engine_.begin("LOGIN", {});
    EXPECT_EQ(at_once->step(Secret("user"), check_).challenge, "Password:");
    EXPECT_EQ(at_once->step(Secret("wrong"), check_).outcome, Outcome::kRejected);

    const auto stranger = engine_.begin("LOGIN", {});
    EXPECT_EQ(stranger->step(Secret("nobody"), check_).challenge, "Password:");
    EXPECT_EQ(stranger->step(Secret("hunter2"), check_).outcome, Outcome::kRejected);
}

// facts.md 1: a reused connection object can answer OK as the user before.
TEST_F(CyrusTest, AnExchangeThatHasEndedAcceptsNobodyAgain) {
    const auto exchange = engine_.begin("PLAIN", {});
    EXPECT_EQ(exchange->step(Secret("\0user\0hunter2"s), check_).outcome, Outcome::kAccepted);
    EXPECT_EQ(exchange->step(Secret("\0user\0hunter2"s), check_).outcome, Outcome::kUnavailable);
    EXPECT_EQ(exchange->step(std::nullopt, check_).outcome, Outcome::kUnavailable);
    const auto failed = engine_.begin("PLAIN", {});
    EXPECT_EQ(failed->step(Secret("\0user\0wrong"s), check_).outcome, Outcome::kRejected);
    EXPECT_EQ(failed->step(Secret("\0user\0hunter2"s), check_).outcome, Outcome::kUnavailable);
}

TEST_F(CyrusTest, LongestNameAndPasswordReachTheCheckWhole) {
    const std::string user(255, 'u');
    const std::string password(1024, 'p');
    EXPECT_EQ(plain('\0' + user + '\0' + password).outcome, Outcome::kRejected);
    EXPECT_EQ(check_.asked, user + "/" + password + ";");
    check_.asked.clear();
    const std::string name =
        "gr\xC3\xBC\xC3\x9F"
        "e@b\xC3\xBC"
        "cher.example";
    EXPECT_EQ(plain('\0' + name + "\0p\xE4 \\:;\x80"s).outcome, Outcome::kRejected);
    EXPECT_EQ(check_.asked, name + "/p\xE4 \\:;\x80;");
    check_.asked.clear();
    const auto login = engine_.begin("LOGIN", {});
    EXPECT_EQ(login->step(Secret(user), check_).challenge, "Password:");
    EXPECT_EQ(login->step(Secret(password), check_).outcome, Outcome::kRejected);
    EXPECT_EQ(check_.asked, user + "/" + password + ";");
}

// Two workers as in the server, one pool, PLAIN and LOGIN mixed, right and wrong, with cancels: for TSan as
// well.
TEST_F(CyrusTest, WorkersMixPlainAndLoginThroughOnePool) {
    constexpr std::uint64_t kAttempts = 300;
    std::array<FakeExecutor, 2> homes;  // outlive the pool, as event loops do
    VerifyPool pool({.threads = 2, .queue = 1024, .deadline = std::chrono::minutes(2)});
    const auto cache = std::move(*VerifyCache::make({}));
    const ScramFake fake = std::move(*ScramFake::make_random());
    std::vector<std::thread> workers;
    std::atomic<int> accepted = 0;
    std::atomic<int> rejected = 0;
    std::atomic<int> strange = 0;
    for (int worker = 0; worker < 2; ++worker) {
        workers.emplace_back([&, worker] {
            auto own_store = std::make_shared<FakeStore>();
            own_store->add(
                "user", "{SHA256-CRYPT}$5$rounds=1000$saltsalt$f25dkPYTm952Io0nI9FgssYnbY.87HWdiFw89b8zOR8");
            own_store->add("plain", "{PLAIN}hunter2");
            FakeExecutor& home = homes[static_cast<std::size_t>(worker)];
            FakeReceiver receiver;
            StoreVerifier verifier({.home = home,
                                    .receiver = receiver,
                                    .engine = engine_,
                                    .pool = pool,
                                    .cache = *cache,
                                    .fake = fake,
                                    .stores = {{"local", own_store}}});
            std::uint64_t answered = 0;
            std::uint64_t cancelled = 0;
            for (std::uint64_t id = 0; id < kAttempts; ++id) {
                const std::string user = id % 3 == 0 ? "plain" : (id % 3 == 1 ? "user" : "nobody");
                if (id % 2 == 0) {
                    verifier.step({id}, {.mechanism = "PLAIN",
                                         .is_first = true,
                                         .message = Secret('\0' + user + "\0hunter2"s)});
                } else {
                    verifier.step({id}, {.mechanism = "LOGIN", .is_first = true, .message = Secret(user)});
                }
                if (id % 10 == 9) {
                    verifier.cancel({id});
                    ++cancelled;
                }
            }
            home.run_until([&] {
                for (auto& [id, verdict] : std::exchange(receiver.verdicts, {})) {
                    if (verdict.outcome == Outcome::kChallenge) {
                        verifier.step(
                            {id}, {.mechanism = "LOGIN", .is_first = false, .message = Secret("hunter2")});
                        continue;
                    }
                    ++answered;
                    const bool should = verdict.identity.user != "nobody";
                    if (verdict.outcome == Outcome::kAccepted && should) {
                        ++accepted;
                    } else if (verdict.outcome == Outcome::kRejected && !should) {
                        ++rejected;
                    } else {
                        ++strange;
                    }
                }
                return answered + cancelled == kAttempts;
            });
            EXPECT_EQ(answered + cancelled, kAttempts);
            EXPECT_EQ(verifier.open_exchanges(), 0U);
        });
    }
    for (std::thread& worker : workers) worker.join();
    pool.stop();
    EXPECT_EQ(strange, 0);
    EXPECT_EQ(accepted, 360);
    EXPECT_EQ(rejected, 180);
}

}  // namespace
}  // namespace gatepost::auth

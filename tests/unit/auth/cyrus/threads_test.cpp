// All mechanisms at once on many threads, through one pool and one engine as in the server; for TSan and ASan
// as well.
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "auth/check/verifier.h"
#include "auth/cyrus/sasl_library.h"
#include "tests/fakes/auth_fakes.h"
#include "tests/unit/auth/cyrus/library.h"
#include "tests/unit/auth/cyrus/sasl_client.h"

namespace gatepost::auth {
namespace {

struct Way {
    std::string mechanism;
    std::string user;
};

const std::array<Way, 9> kWays{{{"PLAIN", "user"},
                                {"LOGIN", "user"},
                                {"SCRAM-SHA-1", "sha1"},
                                {"SCRAM-SHA-256", "user"},
                                {"SCRAM-SHA-512", "sha512"},
                                {"CRAM-MD5", "plain"},
                                {"DIGEST-MD5", "plain"},
                                {"NTLM", "plain"},
                                {"EXTERNAL", "user"}}};
constexpr std::size_t kWorkers = 4;
constexpr std::uint64_t kRounds =
    6;  // of all ways, for each worker: right, wrong, unknown, cancelled in turn

const std::map<std::string, std::string>& records() {
    static const std::map<std::string, std::string> made = [] {
        std::map<std::string, std::string> all;
        for (const auto& [user, scheme] :
             {std::pair("sha1", Scheme::kScramSha1), std::pair("user", Scheme::kScramSha256),
              std::pair("sha512", Scheme::kScramSha512), std::pair("plain", Scheme::kPlain)})
            all.emplace(user, Record::make(scheme, "pencil")->text().reveal());
        return all;
    }();
    return made;
}

struct Counts {
    std::atomic<int> accepted = 0;
    std::atomic<int> rejected = 0;
    std::atomic<int> strange = 0;
};

/// One reactor: its clients all talk at once.
class Worker {
  public:
    Worker(FakeExecutor& home, MechanismEngine& engine, VerifyPool& pool, VerifyCache& cache,
           const ScramFake& fake, Counts& counts)
        : home_(home), counts_(counts) {
        auto store = std::make_shared<FakeStore>();
        for (const auto& [user, record] : records()) store->add(user, record);
        verifier_ = std::make_unique<StoreVerifier>(StoreVerifier::Parts{.home = home,
                                                                         .receiver = receiver_,
                                                                         .engine = engine,
                                                                         .pool = pool,
                                                                         .cache = cache,
                                                                         .fake = fake,
                                                                         .stores = {{"local", store}},
                                                                         .realm = "mail.example.org"});
    }

    void work() {
        for (std::uint64_t round = 0; round < kRounds; ++round) {
            for (std::size_t way = 0; way < kWays.size(); ++way)
                begin(round * kWays.size() + way, kWays[way], round % 4);
        }
        EXPECT_TRUE(home_.run_until([this] {
            for (auto& [id, verdict] : std::exchange(receiver_.verdicts, {})) hear(id, verdict);
            return open_.empty();
        }));
        EXPECT_EQ(verifier_->open_exchanges(), 0U);
    }

  private:
    struct Session {
        std::string mechanism;
        bool is_right;
        std::unique_ptr<SaslClient> client;  // none for EXTERNAL
    };

    void begin(std::uint64_t id, const Way& way, std::uint64_t kind) {
        const std::string user = kind == 2 ? "nobody" : way.user;
        Session session{.mechanism = way.mechanism, .is_right = kind == 0, .client = nullptr};
        std::optional<Secret> first;
        Channel channel;
        if (way.mechanism == "EXTERNAL") {
            channel.certificate_name = user;
            first.emplace(kind == 1 ? "boss" : "");
        } else {
            session.client = std::make_unique<SaslClient>(
                way.mechanism, SaslClient::Facts{.user = user, .password = kind == 1 ? "wrong" : "pencil"});
            if (const std::optional<std::string> message = session.client->start()) first.emplace(*message);
        }
        verifier_->step({id}, {.mechanism = way.mechanism,
                               .is_first = true,
                               .message = std::move(first),
                               .channel = std::move(channel)});
        if (kind == 3) return verifier_->cancel({id});
        open_.emplace(id, std::move(session));
    }

    void hear(std::uint64_t id, const Verdict& verdict) {
        Session& session = open_.at(id);
        if (verdict.outcome == Outcome::kChallenge && session.client != nullptr) {
            const std::string message = session.client->step(verdict.challenge);
            return verifier_->step(
                {id}, {.mechanism = session.mechanism, .is_first = false, .message = Secret(message)});
        }
        const bool is_as_expected =
            verdict.outcome == (session.is_right ? Outcome::kAccepted : Outcome::kRejected);
        ++(!is_as_expected ? counts_.strange : session.is_right ? counts_.accepted : counts_.rejected);
        if (!is_as_expected)
            ADD_FAILURE() << session.mechanism << ' ' << verdict.identity.user << ' '
                          << to_string(verdict.reason);
        open_.erase(id);
    }

    FakeExecutor& home_;
    Counts& counts_;
    FakeReceiver receiver_;
    std::unique_ptr<StoreVerifier> verifier_;
    std::map<std::uint64_t, Session> open_;
};

TEST(Threads, WorkersMixAllMechanismsThroughOneEngine) {
    std::array<FakeExecutor, kWorkers> homes;  // outlive the pool, as event loops do
    VerifyPool pool({.threads = 2, .queue = 1024, .deadline = std::chrono::minutes(2)});
    const auto cache = std::move(*VerifyCache::make({}));
    const ScramFake fake = std::move(*ScramFake::make_random());
    CyrusEngine engine(*Library::library, "mail.example.org");
    Counts counts;
    static_cast<void>(records());
    std::vector<std::thread> threads;
    threads.reserve(kWorkers);
    for (FakeExecutor& home : homes)
        threads.emplace_back([&] { Worker(home, engine, pool, *cache, fake, counts).work(); });
    for (std::thread& thread : threads) thread.join();
    pool.stop();
    // Rounds 0 and 4 are right, 1, 2 and 5 are not, 3 is cancelled.
    EXPECT_EQ(counts.strange, 0);
    EXPECT_EQ(counts.accepted, static_cast<int>(kWorkers * kWays.size() * 2));
    EXPECT_EQ(counts.rejected, static_cast<int>(kWorkers * kWays.size() * 3));
}

}  // namespace
}  // namespace gatepost::auth

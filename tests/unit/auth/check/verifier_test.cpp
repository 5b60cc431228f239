#include "auth/check/verifier.h"

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/auth_fakes.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;

constexpr std::string_view kScramPencil =
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

std::atomic<int> g_hashes{0};
std::atomic<int> g_plain_hashes{0};

bool counted_match(const Record& record, ByteView password) {
    ++(record.is_cheap() ? g_plain_hashes : g_hashes);
    return record.matches(password);
}

class VerifierTest : public ::testing::Test {
  protected:
    VerifierTest() {
        g_hashes = 0;
        g_plain_hashes = 0;
        first_->add("user", kScramPencil);
        first_->add("plain", "{PLAIN}pencil");
        first_->add("gone", kScramPencil, true);
        first_->add("broken", "{NOSUCH}x");
        second_->add("user", "{PLAIN}other");
        second_->add("late", "{PLAIN}pencil");
    }

    ~VerifierTest() override {
        pool_.stop();
        home_.run_ready();
        verifier_.reset();
        EXPECT_EQ(engine_.alive, 0) << "every exchange is disposed of on every outcome";
    }

    std::unique_ptr<StoreVerifier> verifier_over(std::vector<NamedStore> stores) {
        return std::make_unique<StoreVerifier>(StoreVerifier::Parts{.home = home_,
                                                                    .receiver = receiver_,
                                                                    .engine = engine_,
                                                                    .pool = pool_,
                                                                    .cache = *cache_,
                                                                    .fake = fake_,
                                                                    .stores = std::move(stores),
                                                                    .match = counted_match});
    }

    void plain(std::uint64_t id, const std::string& user, const std::string& password) {
        verifier_->step(
            {id}, {.mechanism = "PLAIN", .is_first = true, .message = Secret('\0' + user + '\0' + password)});
    }

    Verdict wait_for(std::uint64_t id) {
        Verdict found;
        const bool is_there = home_.run_until([&] {
            for (auto& [whose, verdict] : receiver_.verdicts) {
                if (whose == id) {
                    found = verdict;
                    return true;
                }
            }
            return false;
        });
        EXPECT_TRUE(is_there) << "no verdict";
        receiver_.verdicts.clear();
        return found;
    }

    Verdict judged(const std::string& user, const std::string& password) {
        plain(1, user, password);
        return wait_for(1);
    }

    /// Holds the pool's only thread until the test lets go.
    void block_pool() {
        std::latch started(1);
        ASSERT_TRUE(pool_.try_submit([this, &started](bool) {
            started.count_down();
            released_.wait();
        }));
        started.wait();
    }

    FakeExecutor home_;
    FakeReceiver receiver_;
    FakeEngine engine_;
    std::shared_ptr<FakeStore> first_ = std::make_shared<FakeStore>();
    std::shared_ptr<FakeStore> second_ = std::make_shared<FakeStore>();
    std::latch released_{1};
    std::unique_ptr<VerifyCache> cache_ = std::move(*VerifyCache::make({}));
    ScramFake fake_ = std::move(*ScramFake::make_random());
    VerifyPool pool_{{.threads = 1, .queue = 2, .deadline = std::chrono::milliseconds(200)}};
    std::unique_ptr<StoreVerifier> verifier_ = verifier_over({{"one", first_}, {"two", second_}});
};

TEST_F(VerifierTest, RightPasswordIsAcceptedWithItsBackend) {
    const Verdict verdict = judged("user", "pencil");
    EXPECT_EQ(verdict.outcome, Outcome::kAccepted);
    EXPECT_EQ(verdict.identity.user, "user");
    EXPECT_EQ(verdict.identity.mechanism, "PLAIN");
    EXPECT_EQ(verdict.identity.backend, "one");
    EXPECT_EQ(verifier_->open_exchanges(), 0U);
}

TEST_F(VerifierTest, NoVerdictIsDeliveredInsideTheCall) {
    plain(1, "plain", "pencil");
    EXPECT_TRUE(receiver_.verdicts.empty());
    EXPECT_EQ(wait_for(1).outcome, Outcome::kAccepted);
    EXPECT_EQ(pool_.counts().done, 0U) << "{PLAIN} needs no pool";
    verifier_->step({2}, {.mechanism = "LOGIN", .is_first = true, .message = {}});
    EXPECT_TRUE(receiver_.verdicts.empty());
    EXPECT_EQ(wait_for(2).challenge, "Username:");
    verifier_->step({3}, {.mechanism = "FOOBAR", .is_first = true, .message = {}});
    EXPECT_TRUE(receiver_.verdicts.empty());
    EXPECT_EQ(wait_for(3).outcome, Outcome::kUnavailable);
}

TEST_F(VerifierTest, LoginGoesThroughItsThreeSteps) {
    verifier_->step({7}, {.mechanism = "LOGIN", .is_first = true, .message = {}});
    EXPECT_EQ(wait_for(7).challenge, "Username:");
    verifier_->step({7}, {.mechanism = "LOGIN", .is_first = false, .message = Secret("nobody")});
    const Verdict asked = wait_for(7);
    EXPECT_EQ(asked.challenge, "Password:") << "A4: asked for even when the user does not exist";
    EXPECT_EQ(asked.identity.user, "nobody");
    EXPECT_EQ(first_->asked, 0) << "the record is fetched when it is needed, fresh";
    EXPECT_EQ(verifier_->open_exchanges(), 1U);
    verifier_->step({7}, {.mechanism = "LOGIN", .is_first = false, .message = Secret("pencil")});
    EXPECT_EQ(wait_for(7).reason, Reason::kUnknownUser);
    EXPECT_EQ(verifier_->open_exchanges(), 0U);
}

TEST_F(VerifierTest, StoresAreAskedInOrderAndTheFirstThatKnowsDecides) {
    EXPECT_EQ(judged("user", "other").outcome, Outcome::kRejected)
        << "the second store's password for a user of the first";
    EXPECT_EQ(second_->asked, 0);
    const Verdict late = judged("late", "pencil");
    EXPECT_EQ(late.outcome, Outcome::kAccepted);
    EXPECT_EQ(late.identity.backend, "two");
}

TEST_F(VerifierTest, AStoreThatCannotAnswerStopsTheSearch) {
    first_->is_down = true;
    const Verdict verdict = judged("late", "pencil");
    EXPECT_EQ(verdict.outcome, Outcome::kUnavailable);
    EXPECT_EQ(verdict.reason, Reason::kStoreFailed);
    EXPECT_EQ(verdict.identity.user, "late");
    EXPECT_EQ(second_->asked, 0) << "the user may be the first store's";
    first_->is_down = false;
    second_->is_down = true;
    EXPECT_EQ(judged("late", "pencil").outcome, Outcome::kUnavailable);
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kAccepted);
    EXPECT_EQ(judged("broken", "pencil").outcome, Outcome::kUnavailable)
        << "an unreadable record is no wrong password";
}

TEST_F(VerifierTest, ARecordThatIsMissingOrGarbledOpensNothingAndSaysWhose) {
    first_->add("bare", "");
    for (const std::string& user : {"bare"s, "broken"s}) {
        for (const std::string& password : {"pencil"s, "nobody has this password"s}) {
            const Verdict verdict = judged(user, password);
            EXPECT_EQ(verdict.outcome, Outcome::kUnavailable) << user;
            EXPECT_EQ(verdict.reason, Reason::kBadRecord) << user;
            EXPECT_EQ(verdict.identity.backend, "one");
        }
    }
}

TEST_F(VerifierTest, UnknownWrongAndDisabledCostTheSameHashes) {
    struct Case {
        std::string user, password;
        Reason reason;
    };
    for (const Case& c :
         {Case{"nobody", "pencil", Reason::kUnknownUser}, Case{"user", "wrong", Reason::kWrongPassword},
          Case{"gone", "pencil", Reason::kDisabled}, Case{"gone", "wrong", Reason::kWrongPassword}}) {
        g_hashes = 0;
        const std::uint64_t pooled = pool_.counts().done;
        const Verdict verdict = judged(c.user, c.password);
        EXPECT_EQ(verdict.outcome, Outcome::kRejected);
        EXPECT_EQ(verdict.reason, c.reason) << c.user;
        EXPECT_EQ(g_hashes, 1) << c.user;
        EXPECT_EQ(g_plain_hashes, 0) << c.user;
        while (pool_.counts().done == pooled)
            std::this_thread::yield();  // the same detour over the pool as well
    }
}

TEST_F(VerifierTest, AnUnknownUserIsCheckedAgainstWhatTheStoreOffers) {
    auto stand_in = std::make_shared<StoredCredential>();
    stand_in->record = Secret("{PLAIN}pencil");
    first_->stand_in = stand_in;
    const Verdict verdict = judged("nobody", "pencil");
    EXPECT_EQ(verdict.outcome, Outcome::kRejected) << "even the stand-in's own password opens nothing";
    EXPECT_EQ(verdict.reason, Reason::kUnknownUser);
    EXPECT_EQ(g_plain_hashes, 1);
    EXPECT_EQ(g_hashes, 0);
}

// Strangers hash or not as the first user does, whichever worker has seen him; a record that nobody can be
// judged by is passed over.
TEST_F(VerifierTest, AnUnknownUserIsCheckedAgainstTheKindOfTheFirstWhoWasSeen) {
    const auto shared = std::make_shared<StandIn>(StandIn::kPlain);
    const auto make = [&] { return verifier_over({{.name = "one", .store = first_, .stand_in = shared}}); };
    const auto hashes_of_a_stranger = [&] {
        g_hashes = 0;
        EXPECT_EQ(judged("nobody", "pencil").reason, Reason::kUnknownUser);
        return g_hashes.load();
    };
    verifier_ = make();
    EXPECT_EQ(hashes_of_a_stranger(), 0);
    EXPECT_EQ(judged("broken", "pencil").reason, Reason::kBadRecord);
    EXPECT_EQ(hashes_of_a_stranger(), 0);
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kAccepted);
    EXPECT_EQ(hashes_of_a_stranger(), 1);
    EXPECT_EQ(judged("plain", "pencil").outcome, Outcome::kAccepted);
    EXPECT_EQ(hashes_of_a_stranger(), 1) << "who comes later changes nothing";
    verifier_ = make();
    EXPECT_EQ(hashes_of_a_stranger(), 1) << "at another worker neither";
}

TEST_F(VerifierTest, AnEngineThatLiesIsNotBelieved) {
    for (const FakeEngine::Lie lie : {FakeEngine::Lie::kAcceptsAll, FakeEngine::Lie::kAcceptsWithoutAsking,
                                      FakeEngine::Lie::kAsksForAnother, FakeEngine::Lie::kFails}) {
        engine_.lie = lie;
        for (const std::string& user : {"user"s, "plain"s, "nobody"s, "gone"s}) {
            const Verdict verdict = judged(user, "wrong");
            EXPECT_NE(verdict.outcome, Outcome::kAccepted);
        }
        verifier_->step({5}, {.mechanism = "PLAIN", .is_first = true, .message = {}});
        EXPECT_NE(wait_for(5).outcome, Outcome::kAccepted) << "accepted without a password";
        verifier_->cancel({5});
    }
    engine_.lie = FakeEngine::Lie::kNamesAnother;
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kUnavailable) << "proved as somebody else";
}

TEST_F(VerifierTest, MessagesThatNobodyMaySendNeverReachTheEngineOrAStore) {
    engine_.lie = FakeEngine::Lie::kAcceptsAll;
    EXPECT_EQ(judged(" user", "pencil").outcome, Outcome::kRejected);
    EXPECT_EQ(judged("user", "").outcome, Outcome::kRejected);
    verifier_->step({1}, {.mechanism = "PLAIN", .is_first = true, .message = Secret("boss\0user\0pencil"s)});
    EXPECT_EQ(wait_for(1).reason, Reason::kNotAuthorized);
    verifier_->step({1}, {.mechanism = "PLAIN", .is_first = true, .message = Secret("user")});
    EXPECT_EQ(wait_for(1).outcome, Outcome::kMalformed);
    EXPECT_EQ(first_->asked, 0);
}

TEST_F(VerifierTest, AFullQueueIsBusyAndAnOldOneIsLate) {
    block_pool();
    plain(1, "user", "pencil");
    plain(2, "user", "pencils");
    plain(3, "user", "pen");
    const Verdict refused = wait_for(3);
    EXPECT_EQ(refused.outcome, Outcome::kBusy);
    EXPECT_EQ(refused.reason, Reason::kQueueFull);
    EXPECT_EQ(refused.identity.user, "user");
    plain(4, "plain", "pencil");
    EXPECT_EQ(wait_for(4).outcome, Outcome::kAccepted) << "what does not hash does not wait";
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    released_.count_down();
    const Verdict late = wait_for(1);
    EXPECT_EQ(late.outcome, Outcome::kBusy);
    EXPECT_EQ(late.reason, Reason::kDeadline);
    EXPECT_EQ(g_hashes, 0) << "nobody waits for it any more: no hash for it";
}

TEST_F(VerifierTest, AfterCancelNoVerdictArrives) {
    block_pool();
    plain(1, "user", "pencil");
    home_.run_ready();  // the look-up has answered, the job waits
    plain(2, "plain", "pencil");
    verifier_->cancel({1});
    verifier_->cancel({2});  // its look-up is still under way
    verifier_->cancel({99});
    EXPECT_EQ(verifier_->open_exchanges(), 0U);
    released_.count_down();
    while (pool_.counts().done < 2) std::this_thread::yield();
    home_.run_ready();
    EXPECT_TRUE(receiver_.verdicts.empty());
    EXPECT_EQ(g_hashes, 0) << "a cancelled job is not run";
}

TEST_F(VerifierTest, IdenticalChecksShareOneHash) {
    block_pool();
    for (std::uint64_t id = 1; id <= 5; ++id) plain(id, "user", "pencil");
    plain(6, "user", "wrong");
    home_.run_ready();
    verifier_->cancel({1});  // who was first leaves: the next one hashes in its place
    verifier_->cancel({3});
    released_.count_down();
    ASSERT_TRUE(home_.run_until([&] { return receiver_.verdicts.size() == 4; }));
    for (const auto& [id, verdict] : receiver_.verdicts)
        EXPECT_EQ(verdict.outcome, id == 6 ? Outcome::kRejected : Outcome::kAccepted) << id;
    EXPECT_EQ(g_hashes, 2);
    EXPECT_EQ(verifier_->open_exchanges(), 0U);
}

TEST_F(VerifierTest, ARememberedPasswordCostsNoHash) {
    EXPECT_FALSE(judged("user", "pencil").identity.is_remembered);
    const Verdict again = judged("user", "pencil");
    EXPECT_EQ(again.outcome, Outcome::kAccepted);
    EXPECT_TRUE(again.identity.is_remembered);
    EXPECT_EQ(g_hashes, 1);
    EXPECT_EQ(judged("user", "wrong").reason, Reason::kWrongPassword);
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kAccepted) << "a stranger's guess flushes nothing";
    EXPECT_EQ(g_hashes, 2);
    // A changed record takes effect at once, and so does a disabled one.
    first_->add("user", Record::make(Scheme::kScramSha256, "new")->text().reveal());
    EXPECT_EQ(judged("user", "pencil").reason, Reason::kWrongPassword);
    EXPECT_EQ(judged("user", "new").outcome, Outcome::kAccepted);
    first_->add("user", kScramPencil, true);
    EXPECT_EQ(judged("user", "pencil").reason, Reason::kDisabled);
}

TEST_F(VerifierTest, WhoIsRememberedGoesOnWhileTheStoreCannotAnswer) {
    first_->add("changed", kScramPencil);
    first_->add("disabled", kScramPencil);
    for (const std::string& user : {"user"s, "plain"s, "changed"s, "disabled"s, "late"s})
        EXPECT_EQ(judged(user, "pencil").outcome, Outcome::kAccepted) << user;
    first_->add("changed", "{PLAIN}new");
    EXPECT_EQ(judged("changed", "pencil").reason, Reason::kWrongPassword);
    first_->add("disabled", kScramPencil, true);
    EXPECT_EQ(judged("disabled", "stranger").reason, Reason::kWrongPassword);
    g_hashes = 0;
    first_->is_down = true;
    for (int again = 0; again < 3; ++again) {
        for (const std::string& user : {"user"s, "plain"s}) {
            const Verdict verdict = judged(user, "pencil");
            EXPECT_EQ(verdict.outcome, Outcome::kAccepted) << user;
            EXPECT_EQ(verdict.identity.user, user);
            EXPECT_EQ(verdict.identity.backend, "one");
        }
        // Everybody else is told to come back: another password, whom the store last refused, strangers,
        // and "late", whom only the store behind it knows.
        for (const auto& [user, password] :
             {std::pair("user"s, "wrong"s), std::pair("changed"s, "pencil"s),
              std::pair("disabled"s, "pencil"s), std::pair("nobody"s, "pencil"s),
              std::pair("late"s, "pencil"s)}) {
            const Verdict verdict = judged(user, password);
            EXPECT_EQ(verdict.outcome, Outcome::kUnavailable) << user;
            EXPECT_EQ(verdict.reason, Reason::kStoreFailed) << user;
            EXPECT_EQ(verdict.identity.backend, "one");
            EXPECT_EQ(verdict.is_guess, user == "user") << "only who is remembered can be guessed at";
        }
    }
    EXPECT_EQ(g_hashes, 0);
    first_->is_down = false;
    EXPECT_EQ(judged("user", "wrong").reason, Reason::kWrongPassword);
    EXPECT_EQ(judged("disabled", "pencil").reason, Reason::kDisabled);
}

TEST_F(VerifierTest, Accepted_TellsWhatTheRecordSays) {
    const auto has = [](const Verdict& verdict, std::string_view upstream, std::string_view senders,
                        std::string_view limit_class) {
        EXPECT_EQ(verdict.outcome, Outcome::kAccepted);
        EXPECT_EQ(verdict.identity.upstream, upstream);
        EXPECT_EQ(verdict.identity.senders, senders);
        EXPECT_EQ(verdict.identity.limit_class, limit_class);
    };
    const auto write = [&](std::string_view senders) {
        for (const auto& [user, record] : {std::pair("user"s, kScramPencil), {"plain"s, "{PLAIN}pencil"}}) {
            first_->add(user, record, false, {},
                        {{"upstream", "other"},
                         {"senders", std::string(senders)},
                         {"limit_class", "bulk"},
                         {"what else", "x"}});
        }
    };
    write("*@example.org");
    has(judged("user", "pencil"), "other", "*@example.org", "bulk");
    has(judged("plain", "pencil"), "other", "*@example.org", "bulk");
    has(judged("late", "pencil"), "", "", "");
    const Verdict refused = judged("user", "wrong");
    EXPECT_EQ(refused.identity.senders + refused.identity.limit_class, "");

    write("*@example.net");
    const Verdict remembered = judged("user", "pencil");
    EXPECT_TRUE(remembered.identity.is_remembered);
    has(remembered, "other", "*@example.net", "bulk");  // the password is remembered, the rest is read

    first_->is_down = true;
    has(judged("user", "pencil"), "other", "*@example.org", "bulk");  // as it was when it was checked
    has(judged("plain", "pencil"), "other", "*@example.org", "bulk");
}

TEST_F(VerifierTest, IdenticalChecks_TellEachWhatItsOwnLookupSaid) {
    block_pool();
    first_->add("user", kScramPencil, false, {}, {{"senders", "old@example.org"}});
    plain(1, "user", "pencil");
    home_.run_ready();
    first_->add("user", kScramPencil, false, {}, {{"senders", "new@example.org"}});
    plain(2, "user", "pencil");
    home_.run_ready();
    released_.count_down();
    ASSERT_TRUE(home_.run_until([&] { return receiver_.verdicts.size() == 2; }));
    for (const auto& [id, verdict] : receiver_.verdicts)
        EXPECT_EQ(verdict.identity.senders, id == 1 ? "old@example.org" : "new@example.org");
    EXPECT_EQ(g_hashes, 1);
}

TEST_F(VerifierTest, AServiceJudgesWhomNoStoreKnows) {
    class Service final : public PasswordService {
      public:
        void check(std::string_view user, const Secret& password, Executor& home,
                   std::move_only_function<void(PasswordAnswer)> answer) override {
            ++asked;
            const bool is_right = user == "pam" && password.reveal() == "pencil";
            home.post([answer = std::move(answer), is_right, down = is_down]() mutable {
                answer(down ? PasswordAnswer::kUnavailable
                            : (is_right ? PasswordAnswer::kAccepted : PasswordAnswer::kRefused));
            });
        }
        int asked = 0;
        bool is_down = false;
    };
    const auto service = std::make_shared<Service>();
    verifier_ = verifier_over({{"one", first_}, {"pam", nullptr, service}});
    EXPECT_EQ(judged("user", "wrong").reason, Reason::kWrongPassword)
        << "who is known is not asked for elsewhere";
    EXPECT_EQ(service->asked, 0);
    EXPECT_EQ(judged("pam", "wrong").reason, Reason::kWrongPassword);
    EXPECT_EQ(judged("pam", "pencil").identity.backend, "pam");
    EXPECT_EQ(judged("pam", "pencil").outcome, Outcome::kAccepted);
    EXPECT_EQ(service->asked, 2) << "the second time it is remembered";
    service->is_down = true;
    const Verdict other = judged("pam", "other");
    EXPECT_EQ(other.reason, Reason::kStoreFailed);
    EXPECT_TRUE(other.is_guess);
    EXPECT_FALSE(judged("stranger", "other").is_guess);
    EXPECT_EQ(judged("pam", "pencil").outcome, Outcome::kAccepted) << "users in the cache go on";
    EXPECT_EQ(g_hashes, 1);
}

TEST_F(VerifierTest, WhoWasDisabledWhileHisPasswordWasCheckedIsNotRemembered) {
    block_pool();
    plain(1, "user", "pencil");
    home_.run_ready();
    first_->add("user", kScramPencil, true);
    plain(2, "user", "pencil");
    home_.run_ready();
    released_.count_down();
    EXPECT_EQ(wait_for(1).outcome, Outcome::kAccepted) << "he was not disabled when he came";
    first_->is_down = true;
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kUnavailable);
}

TEST_F(VerifierTest, ADisabledUserWithoutARecordIsAStrangerToTheClient) {
    first_->add("bare", "", true);
    for (const std::string& user : {"bare"s, "nobody at all"s}) {
        const Verdict verdict = judged(user, "pencil");
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << user;
        EXPECT_EQ(verdict.reason, Reason::kUnknownUser) << user;
    }
}

TEST_F(VerifierTest, AFullQueueIsNoTimeToGuessInEither) {
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kAccepted);
    block_pool();
    plain(2, "user", "a");
    plain(3, "user", "b");
    home_.run_ready();
    const Verdict guess = judged("user", "c");
    EXPECT_EQ(guess.outcome, Outcome::kBusy);
    EXPECT_TRUE(guess.is_guess);
    const Verdict stranger = judged("nobody", "c");
    EXPECT_EQ(stranger.outcome, Outcome::kBusy);
    EXPECT_FALSE(stranger.is_guess);
    EXPECT_EQ(judged("user", "pencil").outcome, Outcome::kAccepted) << "remembered";
    released_.count_down();
}

TEST_F(VerifierTest, CancelledWhileTheVerdictIsOnItsWayHome) {
    plain(1, "user", "pencil");
    home_.run_ready();
    while (pool_.counts().done < 1) std::this_thread::yield();
    verifier_->cancel({1});
    plain(1, "plain", "wrong");  // the same connection tries again
    home_.run_ready();
    ASSERT_EQ(receiver_.verdicts.size(), 1U);
    EXPECT_EQ(receiver_.verdicts[0].second.outcome, Outcome::kRejected)
        << "the first attempt's verdict is not the second's";
}

TEST_F(VerifierTest, GoneBeforeItsJobsEnd) {
    block_pool();
    plain(1, "user", "pencil");
    home_.run_ready();
    plain(2, "user", "pencil");  // still at the store
    verifier_.reset();
    released_.count_down();
    while (pool_.counts().done < 2) std::this_thread::yield();
    home_.run_ready();
    EXPECT_TRUE(receiver_.verdicts.empty());
}

TEST_F(VerifierTest, AStepOutOfTurnIsOurFaultNotTheClients) {
    verifier_->step({1}, {.mechanism = "LOGIN", .is_first = false, .message = Secret("user")});
    EXPECT_EQ(wait_for(1).outcome, Outcome::kUnavailable);
    plain(2, "plain", "pencil");
    verifier_->step({2}, {.mechanism = "PLAIN", .is_first = false, .message = Secret("\0plain\0pencil"s)});
    EXPECT_EQ(wait_for(2).outcome, Outcome::kUnavailable);
    home_.run_ready();
    EXPECT_TRUE(receiver_.verdicts.empty()) << "one verdict, not two";
}

TEST(VerifyPool, RunsInOrderAndStopsWithJobsWaiting) {
    std::vector<int> order;
    std::mutex mutex;
    {
        VerifyPool pool({.threads = 1, .queue = 100, .deadline = std::chrono::seconds(10)});
        for (int i = 0; i < 50; ++i) {
            ASSERT_TRUE(pool.try_submit([i, &order, &mutex](bool) {
                const std::lock_guard lock(mutex);
                order.push_back(i);
            }));
        }
        while (pool.counts().done < 50) std::this_thread::yield();
        auto alive = std::make_shared<int>(0);
        std::latch started(1);
        std::latch released(1);
        ASSERT_TRUE(pool.try_submit([&](bool) {
            started.count_down();
            released.wait();
        }));
        started.wait();
        ASSERT_TRUE(pool.try_submit([alive](bool) { ADD_FAILURE() << "run after stop"; }));
        std::thread stopper([&] { pool.stop(); });
        while (alive.use_count() > 1) std::this_thread::yield();
        released.count_down();
        stopper.join();
        EXPECT_FALSE(pool.try_submit([](bool) {}));
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace gatepost::auth

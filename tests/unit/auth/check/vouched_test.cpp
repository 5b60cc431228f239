// Whom the engine vouches for by somebody else's word (GSSAPI), and what the stores have to say of him.
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "auth/check/verifier.h"
#include "tests/fakes/auth_fakes.h"

namespace gatepost::auth {
namespace {

using namespace std::string_literals;

const std::string kToken = "\x60\x0C\x06\x09\x2A\x86\x48\x86\xF7\x12\x01\x02\x02x";

class VouchedTest : public ::testing::Test {
  protected:
    VouchedTest() {
        first_->add("ann", "{PLAIN}pencil", false, {},
                    {{"senders", "*@example.org"}, {"limit_class", "bulk"}});
        first_->add("gone", "{PLAIN}pencil", true);
        second_->add("late", "{PLAIN}pencil", true);
        first_->add("broken", "{NOSUCH}x");
        make({{"one", first_}, {"two", second_}});
    }
    ~VouchedTest() override {
        pool_.stop();
        home_.run_ready();
        verifier_.reset();
        EXPECT_EQ(engine_.alive, 0);
    }

    void make(std::vector<NamedStore> stores) {
        verifier_ = std::make_unique<StoreVerifier>(StoreVerifier::Parts{.home = home_,
                                                                         .receiver = receiver_,
                                                                         .engine = engine_,
                                                                         .pool = pool_,
                                                                         .cache = *cache_,
                                                                         .fake = fake_,
                                                                         .stores = std::move(stores)});
    }

    Verdict judged(const std::string& principal, const std::string& token = kToken) {
        engine_.vouches_for = principal;
        verifier_->step({1}, {.mechanism = "GSSAPI", .is_first = true, .message = Secret(token)});
        EXPECT_TRUE(home_.run_until([this] { return !receiver_.verdicts.empty(); }));
        Verdict verdict = std::move(receiver_.verdicts.front().second);
        receiver_.verdicts.clear();
        EXPECT_EQ(verifier_->open_exchanges(), 0U);
        return verdict;
    }

    FakeExecutor home_;
    FakeReceiver receiver_;
    FakeEngine engine_;
    std::shared_ptr<FakeStore> first_ = std::make_shared<FakeStore>();
    std::shared_ptr<FakeStore> second_ = std::make_shared<FakeStore>();
    std::unique_ptr<VerifyCache> cache_ = std::move(*VerifyCache::make({}));
    ScramFake fake_ = std::move(*ScramFake::make_random());
    VerifyPool pool_{{.threads = 1}};
    std::unique_ptr<StoreVerifier> verifier_;
};

TEST_F(VouchedTest, IsAcceptedWhetherAStoreKnowsHimOrNot) {
    const Verdict known = judged("ann");
    EXPECT_EQ(known.outcome, Outcome::kAccepted);
    EXPECT_EQ(known.identity.user, "ann");
    EXPECT_EQ(known.identity.mechanism, "GSSAPI");
    EXPECT_EQ(known.identity.backend, "one");
    EXPECT_EQ(known.identity.senders, "*@example.org");
    EXPECT_EQ(known.identity.limit_class, "bulk");
    const Verdict unknown = judged("guest@OTHER.EXAMPLE");
    EXPECT_EQ(unknown.outcome, Outcome::kAccepted);
    EXPECT_EQ(unknown.identity.user, "guest@OTHER.EXAMPLE");
    EXPECT_EQ(unknown.identity.backend, "");
    EXPECT_EQ(second_->asked, 1);
}

TEST_F(VouchedTest, StepsNeverRunAtHome) {
    EXPECT_EQ(judged("ann").outcome, Outcome::kAccepted);
    EXPECT_NE(engine_.stepped_on, std::thread::id());
    EXPECT_NE(engine_.stepped_on, std::this_thread::get_id());
}

TEST_F(VouchedTest, ADisabledUserIsRefusedWhoeverVouchesForHim) {
    for (const std::string user : {"gone", "late"}) {
        const Verdict verdict = judged(user);
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << user;
        EXPECT_EQ(verdict.reason, Reason::kDisabled) << user;
    }
}

TEST_F(VouchedTest, AStoreThatCannotAnswerIsNoReasonToAccept) {
    second_->is_down = true;
    EXPECT_EQ(judged("late").outcome, Outcome::kUnavailable);
    EXPECT_EQ(judged("ann").outcome, Outcome::kAccepted) << "the first store knows him";
    first_->is_down = true;
    EXPECT_EQ(judged("ann").outcome, Outcome::kUnavailable);
    EXPECT_EQ(judged("ann").reason, Reason::kStoreFailed);
    first_->is_down = false;
    EXPECT_EQ(judged("broken").outcome, Outcome::kAccepted)
        << "his record is not looked at, as with EXTERNAL";
}

TEST_F(VouchedTest, NobodyIsAcceptedUnderANameThatNobodyCanHave) {
    for (const std::string& name : {" ann"s, "ann "s, "a\nnn"s, "\xFF"s, std::string(256, 'x'),
                                    "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS"s}) {
        const Verdict verdict = judged(name);
        EXPECT_EQ(verdict.outcome, Outcome::kRejected) << name.size();
        EXPECT_EQ(verdict.reason, Reason::kNotAuthorized) << name.size();
    }
    EXPECT_EQ(first_->asked, 0);
}

TEST_F(VouchedTest, TheEnginesRefusalIsFinal) {
    EXPECT_EQ(judged("").outcome, Outcome::kRejected);
    engine_.lie = FakeEngine::Lie::kFails;
    EXPECT_EQ(judged("ann").outcome, Outcome::kUnavailable);
    engine_.lie = FakeEngine::Lie::kNone;
    EXPECT_EQ(judged("ann", "no token").outcome, Outcome::kMalformed);
    EXPECT_EQ(first_->asked, 0);
}

class NoService final : public PasswordService {
  public:
    void check(std::string_view, const Secret&, Executor&,
               std::move_only_function<void(PasswordAnswer)>) override {
        ADD_FAILURE() << "there is no password";
    }
};

TEST_F(VouchedTest, AServiceKnowsNobodyWithoutHisPassword) {
    make({{"one", first_}, {.name = "pam", .store = nullptr, .service = std::make_shared<NoService>()}});
    EXPECT_EQ(judged("guest").outcome, Outcome::kAccepted);
    EXPECT_EQ(judged("gone").outcome, Outcome::kRejected);
    make({});
    EXPECT_EQ(judged("guest").outcome, Outcome::kAccepted);
}

TEST_F(VouchedTest, NobodyIsThereAnyMore) {
    engine_.vouches_for = "ann";
    verifier_->step({1}, {.mechanism = "GSSAPI", .is_first = true, .message = Secret(kToken)});
    while (pool_.counts().done < 1) std::this_thread::yield();
    verifier_->cancel({1});
    home_.run_ready();
    EXPECT_TRUE(receiver_.verdicts.empty());
    EXPECT_EQ(first_->asked, 0);
}

}  // namespace
}  // namespace gatepost::auth

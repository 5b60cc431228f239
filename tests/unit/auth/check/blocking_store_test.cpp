#include "auth/check/blocking_store.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/auth_fakes.h"

namespace gatepost::auth {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDeadline = 150ms;

/// Knows everybody but "nobody"; whoever is called "stuck…" keeps his thread until release().
class FakeLookup final : public BlockingLookup {
  public:
    Answer find(const std::string& user) override {
        std::unique_lock lock(mutex_);
        ++asked_;
        threads_.insert(std::this_thread::get_id());
        changed_.notify_all();
        if (user.starts_with("stuck")) changed_.wait(lock, [this] { return is_released_; });
        if (user == "down") return {.lookup = {}, .complaint = "it is down"};
        Answer answer;
        answer.lookup.status = user == "nobody" ? Lookup::Status::kUnknown : Lookup::Status::kFound;
        return answer;
    }
    void release(bool is_released = true) {
        const std::lock_guard lock(mutex_);
        is_released_ = is_released;
        changed_.notify_all();
    }
    void wait_until_asked(int times) {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 1min, [&] { return asked_ >= times; }));
    }
    int asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }
    std::size_t threads() {
        const std::lock_guard lock(mutex_);
        return threads_.size();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::thread::id> threads_;
    int asked_ = 0;
    bool is_released_ = false;
};

class FakeObserver final : public BlockingObserver {
  public:
    void answered(const std::string& complaint) override { note(complaint.empty() ? "answered" : complaint); }
    void lost(std::size_t threads, bool is_open) override {
        note("lost " + std::to_string(threads) + (is_open ? " open" : ""));
    }
    std::vector<std::string> heard() {
        const std::lock_guard lock(mutex_);
        return heard_;
    }

  private:
    void note(std::string what) {
        const std::lock_guard lock(mutex_);
        heard_.push_back(std::move(what));
    }
    std::mutex mutex_;
    std::vector<std::string> heard_;
};

class BlockingStoreTest : public ::testing::Test {
  protected:
    using Status = Lookup::Status;

    void TearDown() override {
        lookup_->release();
        EXPECT_TRUE(store_->stop());
    }

    void ask(const std::string& user) {
        store_->lookup(user, home_, [this](const Lookup& lookup) { answers_.push_back(lookup.status); });
    }
    std::vector<Status> wait_for(std::size_t count) {
        EXPECT_TRUE(home_.run_until([&] { return answers_.size() >= count; }));
        return std::exchange(answers_, {});
    }
    Status answer_to(const std::string& user) {
        ask(user);
        const std::vector<Status> answers = wait_for(1);
        return answers.empty() ? Status::kUnavailable : answers.front();
    }
    /// Until the store has counted it.
    void wait_until_lost(std::size_t threads) {
        const TimePoint end = Clock::now() + 1min;
        while (store_->counts().lost != threads && Clock::now() < end) std::this_thread::sleep_for(1ms);
        ASSERT_EQ(store_->counts().lost, threads);
    }

    FakeExecutor home_;
    FakeObserver observer_;
    std::vector<Status> answers_;
    std::shared_ptr<FakeLookup> lookup_ = std::make_shared<FakeLookup>();
    std::unique_ptr<BlockingStore> store_ = std::make_unique<BlockingStore>(
        lookup_, BlockingStore::Settings{.threads = 2, .spares = 2, .queue = 4, .deadline = kDeadline},
        observer_);
};

TEST_F(BlockingStoreTest, SaysWhatTheSourceSays) {
    EXPECT_EQ(store_->counts().threads, 0U) << "no thread before it is needed";
    EXPECT_EQ(answer_to("ann"), Status::kFound);
    EXPECT_EQ(answer_to("nobody"), Status::kUnknown);
    EXPECT_EQ(answer_to("down"), Status::kUnavailable);
    EXPECT_EQ(observer_.heard(), (std::vector<std::string>{"answered", "answered", "it is down"}));
    EXPECT_LE(store_->counts().threads, 2U);
}

TEST_F(BlockingStoreTest, NoAnswerIsGivenInsideTheCallNorOnAnotherThread) {
    ask("ann");
    lookup_->wait_until_asked(1);
    EXPECT_TRUE(answers_.empty());
    EXPECT_EQ(wait_for(1).front(), Status::kFound);
}

TEST_F(BlockingStoreTest, WhoeverIsLateIsAnsweredAtTheDeadlineAndOthersGoOn) {
    const TimePoint begin = Clock::now();
    ask("stuck");
    lookup_->wait_until_asked(1);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(answer_to("ann"), Status::kFound) << "the other thread is free";
    EXPECT_EQ(answer_to("stuck too"), Status::kUnavailable);
    EXPECT_GE(Clock::now() - begin, kDeadline);
    wait_until_lost(2);
    lookup_->release();
    wait_until_lost(0);
}

TEST_F(BlockingStoreTest, LostThreadsAreReplacedUpToACapAndThenNobodyIsAsked) {
    ask("stuck 1");
    ask("stuck 2");
    EXPECT_EQ(wait_for(2), (std::vector{Status::kUnavailable, Status::kUnavailable}));
    wait_until_lost(2);
    const int asked = lookup_->asked();
    const TimePoint begin = Clock::now();
    EXPECT_EQ(answer_to("ann"), Status::kUnavailable) << "open";
    EXPECT_LT(Clock::now() - begin, kDeadline) << "at once";
    EXPECT_EQ(lookup_->asked(), asked);
    EXPECT_TRUE(store_->counts().is_open);

    lookup_->release();
    wait_until_lost(0);
    EXPECT_EQ(answer_to("ann"), Status::kFound) << "by itself";
    EXPECT_LE(store_->counts().threads, 4U);
    const std::vector<std::string> heard = observer_.heard();
    EXPECT_EQ(heard, (std::vector<std::string>{"no answer within the deadline", "lost 1",
                                               "no answer within the deadline", "lost 2 open", "lost 1",
                                               "lost 0", "answered"}));
}

TEST_F(BlockingStoreTest, AReplacementWorksWhileOneIsLost) {
    ask("stuck");
    EXPECT_EQ(wait_for(1).front(), Status::kUnavailable);
    wait_until_lost(1);
    ask("stuck again");  // keeps one of the two
    lookup_->wait_until_asked(2);
    EXPECT_EQ(answer_to("ann"), Status::kFound) << "the other is the lost one's replacement";
    EXPECT_EQ(lookup_->threads(), 3U);
    EXPECT_EQ(wait_for(1).front(), Status::kUnavailable);
}

TEST_F(BlockingStoreTest, ThreadsThatComeBackAreNotTooMany) {
    for (int round = 0; round < 3; ++round) {
        lookup_->release(false);
        ask("stuck 1");
        ask("stuck 2");
        EXPECT_EQ(wait_for(2).size(), 2U);
        wait_until_lost(2);
        lookup_->release();
        wait_until_lost(0);
        for (int i = 0; i < 8; ++i) EXPECT_EQ(answer_to("ann"), Status::kFound);
        EXPECT_LE(store_->counts().threads, 4U);
    }
}

TEST_F(BlockingStoreTest, AFullQueueIsAnAnswer) {
    for (int i = 0; i < 2; ++i) ask("stuck");
    lookup_->wait_until_asked(2);
    for (int i = 0; i < 4; ++i) ask("stuck later");
    EXPECT_EQ(answer_to("ann"), Status::kUnavailable) << "the fifth that waits";
    EXPECT_EQ(wait_for(6), std::vector<Status>(6, Status::kUnavailable))
        << "those who wait have deadlines too";
    EXPECT_EQ(store_->counts().waiting, 0U);
}

TEST_F(BlockingStoreTest, StoppingWaitsForWhatEndsSoonAndGivesNoMoreAnswers) {
    ask("stuck");
    lookup_->wait_until_asked(1);
    std::thread soon([this] {
        std::this_thread::sleep_for(20ms);
        lookup_->release();
    });
    EXPECT_TRUE(store_->stop());
    soon.join();
    EXPECT_EQ(store_->counts().threads, 0U);
    EXPECT_EQ(home_.run_ready(), 0);
    ask("ann");
    EXPECT_EQ(wait_for(1).front(), Status::kUnavailable) << "and asks nobody any more";
}

// The end of a process: what a stuck thread touches when it comes back at last is alive, and nothing else is
// touched.
TEST(BlockingStore, AThreadThatNeverReturnsOutlivesItsStore) {
    auto lookup = std::make_shared<FakeLookup>();
    {
        FakeExecutor home;
        FakeObserver observer;
        BlockingStore store(lookup, {.threads = 1, .spares = 1, .queue = 4, .deadline = 10s}, observer);
        auto token = std::make_shared<int>(0);
        store.lookup("stuck", home, [token](const Lookup&) { FAIL() << "nobody is there to be answered"; });
        lookup->wait_until_asked(1);
        const TimePoint begin = Clock::now();
        EXPECT_FALSE(store.stop());
        EXPECT_LT(Clock::now() - begin, 5s);
        EXPECT_EQ(token.use_count(), 1) << "what the answer owned ends here, not on a late thread";
    }
    EXPECT_GT(lookup.use_count(), 1) << "kept alive by its thread";
    lookup->release();
    const TimePoint end = Clock::now() + 1min;
    while (lookup.use_count() > 1 && Clock::now() < end) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(lookup.use_count(), 1);
}

}  // namespace
}  // namespace gatepost::auth

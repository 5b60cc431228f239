#include "proxy/upstream/pool_group.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

/// Runs what was posted when it is told to.
class FakeHome final : public Executor {
  public:
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    void run() {
        for (Task& task : std::exchange(tasks_, {})) task();
    }

  private:
    std::vector<Task> tasks_;
};

class PoolGroupTest : public ::testing::Test {
  protected:
    PoolGroupTest() {
        for (const std::string name : {"a", "b", "c"}) {
            (void)group_.join(
                home_, [this, name] { told_.push_back(name); },
                [this, name] { told_.push_back("let go " + name); });
        }
    }

    [[nodiscard]] std::uint64_t wait(std::size_t member, Duration since) {
        const std::uint64_t place = group_.wait(member, TimePoint(since));
        (void)told();
        return place;
    }
    std::vector<std::string> told() {
        home_.run();
        return std::exchange(told_, {});
    }
    std::vector<std::string> told_when_freed() {
        group_.freed();
        EXPECT_THAT(told_, IsEmpty()) << "at home, not here";
        return told();
    }

    FakeHome home_;
    PoolGroup group_;
    std::vector<std::string> told_;
};

TEST_F(PoolGroupTest, TheOthersLetGoForWhoeverWaits) {
    EXPECT_FALSE(group_.is_anybody_waiting());
    (void)group_.wait(1, TimePoint(1s));
    EXPECT_TRUE(group_.is_anybody_waiting());
    EXPECT_THAT(told(), ElementsAre("let go a", "let go c"));
}

TEST_F(PoolGroupTest, WhoeverHasWaitedLongestIsNext) {
    (void)wait(0, 3s);
    (void)wait(1, 1s);
    (void)wait(2, 2s);
    (void)wait(1, 4s);
    EXPECT_THAT(told_when_freed(), ElementsAre("b"));
    EXPECT_THAT(told_when_freed(), ElementsAre("c"));
    EXPECT_THAT(told_when_freed(), ElementsAre("a"));
    EXPECT_TRUE(group_.is_anybody_waiting());
    EXPECT_THAT(told_when_freed(), ElementsAre("b"));
    EXPECT_FALSE(group_.is_anybody_waiting());
    EXPECT_THAT(told_when_freed(), IsEmpty());
}

TEST_F(PoolGroupTest, OfEqualsTheFirstIsNext) {
    (void)wait(2, 1s);
    (void)wait(0, 1s);
    EXPECT_THAT(told_when_freed(), ElementsAre("c"));
    EXPECT_THAT(told_when_freed(), ElementsAre("a"));
}

TEST_F(PoolGroupTest, WhoeverLeavesIsNotCalled) {
    const std::uint64_t first = wait(0, 1s);
    const std::uint64_t second = wait(1, 2s);
    group_.leave(first);
    group_.leave(first);
    EXPECT_THAT(told_when_freed(), ElementsAre("b"));
    group_.leave(second);
    EXPECT_FALSE(group_.is_anybody_waiting());
}

TEST_F(PoolGroupTest, WhoeverWasCalledInVainIsCalledAgain) {
    const std::uint64_t first = wait(0, 1s);
    (void)wait(0, 2s);
    (void)wait(1, 3s);
    EXPECT_THAT(told_when_freed(), ElementsAre("a"));
    EXPECT_THAT(told_when_freed(), ElementsAre("a"));
    group_.call_again(0);
    EXPECT_THAT(told(), ElementsAre("let go b", "let go c"));
    EXPECT_THAT(told_when_freed(), ElementsAre("a"));
    group_.leave(first);
    group_.call_again(0);
    (void)told();
    EXPECT_THAT(told_when_freed(), ElementsAre("a")) << "the second one's place";
    EXPECT_THAT(told_when_freed(), ElementsAre("b"));
    EXPECT_FALSE(group_.is_anybody_waiting());
    group_.call_again(1);
    EXPECT_TRUE(group_.is_anybody_waiting());
}

TEST_F(PoolGroupTest, WhoeverResignsIsToldNoMore) {
    const std::uint64_t place = group_.wait(1, TimePoint(1s));
    group_.resign(0);
    EXPECT_THAT(told(), ElementsAre("let go c")) << "nor of what was on its way";
    group_.leave(place);
    const std::size_t number =
        group_.join(home_, [this] { told_.push_back("d"); }, [this] { told_.push_back("let go d"); });
    EXPECT_EQ(number, 0U) << "a place that is free is taken first";
    (void)wait(number, 1s);
    EXPECT_THAT(told_when_freed(), ElementsAre("d"));
}

TEST_F(PoolGroupTest, OthersComeFirstThatHaveWaitedMuchLonger) {
    EXPECT_FALSE(group_.others_come_first(0, TimePoint(1s)));
    (void)wait(0, 1s);
    EXPECT_FALSE(group_.others_come_first(0, TimePoint(2s))) << "its own do not count";
    (void)wait(1, 1500ms);
    EXPECT_FALSE(group_.others_come_first(0, TimePoint(1s)));
    EXPECT_FALSE(group_.others_come_first(0, TimePoint(1600ms)));
    EXPECT_TRUE(group_.others_come_first(0, TimePoint(1601ms)));
    EXPECT_TRUE(group_.others_come_first(1, TimePoint(2s)));
    EXPECT_FALSE(group_.others_come_first(1, TimePoint(1100ms)));
    group_.freed();
    EXPECT_FALSE(group_.others_come_first(1, TimePoint(9s))) << "it has its turn already";
}

}  // namespace
}  // namespace gatepost::upstream

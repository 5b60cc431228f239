// Turns of those who wait that change nothing, and changes of the servers while they wait.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/pool_fixture.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;
using test::PoolLineTest;
using test::Session;

TEST_F(PoolLineTest, ServersThatAreNotWellDoNotMakeAnybodyWait) {
    settings_.max_connections = 1;
    Pool& pool = make_pool();
    auto unwell = snapshot({&mta_});
    unwell->servers.front().is_healthy = false;
    pool.set_snapshot(unwell);
    (void)leased(pool);
    Session& session = ask(pool);
    EXPECT_TRUE(await(session));
    ASSERT_TRUE(session.failure);
    EXPECT_EQ(session.failure->why, OpeningFailure::Why::kBusy);
    EXPECT_EQ(waits_, 0);
}

TEST_F(PoolLineTest, AnotherPoolLetsGoNoMoreThanIsNeeded) {
    settings_.max_connections = 3;
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(one);
    (void)leased(one);
    give_back(first);
    give_back(second);
    ASSERT_EQ(idle(), 2U);
    EXPECT_TRUE(await(ask(other)));
    run_for(20ms);
    EXPECT_EQ(idle(), 1U);
    EXPECT_EQ(open(), 3U);
}

/// Its turn may come in vain: somebody else was faster, or the place was one that is taken over.
TEST_F(PoolLineTest, TurnsInVainLoseNobodysPlace) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    Session& second = leased(pool);
    Session& a = ask(pool);
    Session& b = ask(pool);
    EXPECT_TRUE(await_waiting(2));
    for (int i = 0; i < 3; ++i) {
        group_.freed();
        run_for(2ms);
    }
    end(first);
    EXPECT_TRUE(run_until([&] { return a.is_over(); }, 500ms));
    end(second);
    EXPECT_TRUE(run_until([&] { return b.is_over(); }, 500ms));
    EXPECT_THAT(answered_, ElementsAre(&first, &second, &a, &b));
}

/// One whose server turned out to be bad waits on, since when it did.
TEST_F(PoolLineTest, WhoeverHasToWaitAgainHasWaitedLongest) {
    settings_.max_connections = 1;
    Pool& pool = make_pool();
    pool.set_snapshot(snapshot({&mta_, &other_}));
    Session& first = leased(pool);
    Session& second = leased(pool);
    ASSERT_EQ(second.lease->name, "mta1");
    Session& longest = waiting(pool);
    run_for(5ms);
    Session& other = waiting(pool);
    other_.answers[""] = "";
    end(second);
    EXPECT_TRUE(await_waiting(1));
    auto unwell = snapshot({&mta_, &other_});
    unwell->servers.back().is_healthy = false;
    pool.set_snapshot(unwell);
    EXPECT_TRUE(run_until([&] { return other_.accepted == 2; }));
    other_.say("421 busy\r\n");
    EXPECT_TRUE(await_waiting(2));
    give_back(first);
    EXPECT_TRUE(await(longest));
    ASSERT_TRUE(longest.lease);
    EXPECT_FALSE(other.is_over());
    give_back(longest);
    EXPECT_TRUE(await(other));
    EXPECT_TRUE(other.lease);
}

TEST_F(PoolLineTest, AServerThatAppearsIsNoReasonToGoOnWaiting) {
    settings_.max_connections = 1;
    Pool& pool = make_pool();
    (void)leased(pool);
    Session& next = waiting(pool);
    Session& last = waiting(pool);
    pool.set_snapshot(snapshot({&mta_, &other_}));
    EXPECT_FALSE(next.is_over()) << "from the loop";
    EXPECT_TRUE(run_until([&] { return next.is_over(); }, 500ms));
    ASSERT_TRUE(next.lease);
    EXPECT_EQ(next.lease->name, "mta1");
    EXPECT_FALSE(last.is_over());
    pool.set_snapshot(snapshot({}));
    EXPECT_TRUE(run_until([&] { return last.is_over(); }, 500ms));
    EXPECT_EQ(last.failure->why, OpeningFailure::Why::kNoAddress);
}

}  // namespace
}  // namespace gatepost::upstream

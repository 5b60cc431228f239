// What is kept for the next session, and for how long. How sessions wait is in pool_line_test.cpp, how they
// get a new connection in pool_servers_test.cpp.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/pool_fixture.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;
using test::Session;
using PoolTest = test::PoolTest;

TEST_F(PoolTest, WhatIsGivenBackIsUsedAgain) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    EXPECT_EQ(first.lease->name, "mta0");
    EXPECT_TRUE(first.lease->capabilities.eight_bit_mime);
    EXPECT_FALSE(first.lease->was_used());
    EXPECT_EQ(totals_[0]->active.taken(), 1U);
    give_back(first);
    EXPECT_EQ(totals_[0]->active.taken(), 0U);
    EXPECT_EQ(idle(), 1U);
    EXPECT_EQ(open(), 1U);
    Session& second = leased(pool);
    EXPECT_TRUE(second.lease->was_used());
    EXPECT_EQ(second.lease->transactions, 1U);
    EXPECT_EQ(totals_[0]->active.taken(), 1U);
    EXPECT_EQ(idle(), 0U);
    EXPECT_EQ(mta_.accepted, 1U);
    EXPECT_THAT(mta_.heard, ElementsAre("EHLO gw.test")) << "RSET is whoever's it is";
    EXPECT_EQ(acquired_, "NR");
    EXPECT_EQ(served_, "0+0+");
    EXPECT_THAT(connects_, ElementsAre("ok"));
}

TEST_F(PoolTest, TheOneUsedLastIsUsedNext) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    Session& second = leased(pool);
    const int last = first.lease->transport->fd();
    give_back(second);
    give_back(first);
    EXPECT_EQ(leased(pool).lease->transport->fd(), last);
}

TEST_F(PoolTest, WhatTheUpstreamClosesIsDroppedAndIsNoFailure) {
    Pool& pool = make_pool();
    use(pool);
    mta_.hang_up();
    EXPECT_TRUE(run_until([&] { return open() == 0; }));
    EXPECT_EQ(idle(), 0U);
    EXPECT_EQ(leased(pool).lease->was_used(), false);
    EXPECT_FALSE(served_.contains('-')) << served_;
    EXPECT_EQ(acquired_, "NN");
}

TEST_F(PoolTest, WhatTheUpstreamTalksOnIsDropped) {
    Pool& pool = make_pool();
    use(pool);
    mta_.say("421 idle too long\r\n");
    EXPECT_TRUE(await_open(mta_, 0));
    EXPECT_EQ(open() + idle(), 0U);
    use(pool);
    mta_.say("2");
    EXPECT_TRUE(await_open(mta_, 0));
    EXPECT_FALSE(served_.contains('-')) << served_;
}

TEST_F(PoolTest, AfterSoManyMessagesQuitIsSaid) {
    settings_.max_messages = 2;
    Pool& pool = make_pool();
    use(pool);
    EXPECT_EQ(idle(), 1U);
    use(pool);
    EXPECT_EQ(idle() + open(), 0U);
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 1; }));
    EXPECT_EQ(acquired_, "NR");
}

TEST_F(PoolTest, AnOldConnectionIsNotKept) {
    settings_.max_age = 30ms;
    Pool& pool = make_pool();
    Session& session = leased(pool);
    run_for(40ms);
    give_back(session);
    EXPECT_EQ(idle() + open(), 0U);
    use(pool);
    EXPECT_EQ(idle(), 1U);
    run_for(40ms);
    EXPECT_FALSE(leased(pool).lease->was_used()) << "nor given out, though no sweep has come by";
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 2; }));
}

TEST_F(PoolTest, AnIdleConnectionIsClosedInTime) {
    settings_.idle_timeout = 100ms;
    Pool& pool = make_pool();
    use(pool);
    run_for(200ms);
    EXPECT_EQ(idle(), 1U) << "only a sweep looks";
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 1; }, 2s));
    EXPECT_EQ(idle() + open(), 0U);
}

TEST_F(PoolTest, MoreThanIsAllowedToAllStaysForAMoment) {
    settings_.max_idle = 1;
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(other);
    give_back(first);
    give_back(second);
    EXPECT_EQ(idle(), 2U) << "sessions come in waves";
    EXPECT_TRUE(run_until([&] { return idle() == 1; }, 3s));
    EXPECT_EQ(open(), 1U);
    EXPECT_TRUE(await_open(mta_, 1));
    run_for(1200ms);
    EXPECT_EQ(idle(), 1U);
}

TEST_F(PoolTest, NothingIsKeptWhereNothingMayBe) {
    settings_.max_idle = 0;
    Pool& pool = make_pool();
    use(pool);
    EXPECT_EQ(idle() + open(), 0U);
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 1; }, 2s));
}

TEST_F(PoolTest, WhatHasFailedIsNeverUsedAgain) {
    Pool& pool = make_pool();
    Session& session = leased(pool);
    pool.note_failure(*session.lease);
    end(session);
    EXPECT_EQ(served_, "0+0-");
    EXPECT_EQ(open() + totals_[0]->active.taken(), 0U);
    EXPECT_TRUE(await_open(mta_, 0));
    EXPECT_FALSE(leased(pool).lease->was_used());
    EXPECT_EQ(mta_.heard_of("QUIT"), 0U);
}

TEST_F(PoolTest, PolitelyMeansBehindWhatWasWritten) {
    Pool& pool = make_pool();
    Session& session = leased(pool);
    session.lease->transport->write("QUIT\r\n");
    pool.end(*std::exchange(session.lease, std::nullopt), true);
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 1; }));
}

TEST_F(PoolTest, WhatWasLostInTheSessionIsNotKept) {
    Pool& pool = make_pool();
    Session& session = leased(pool);
    mta_.hang_up();
    EXPECT_TRUE(run_until([&] { return !session.lease->transport->is_open(); }));
    give_back(session);
    EXPECT_EQ(idle() + open(), 0U);
}

TEST_F(PoolTest, AServerThatHasVanishedKeepsNothing) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    use(pool);
    EXPECT_EQ(idle(), 1U);
    pool.set_snapshot(snapshot({&other_}));
    EXPECT_EQ(idle(), 0U);
    EXPECT_TRUE(await_open(mta_, 1));
    give_back(first);
    EXPECT_EQ(idle() + open(), 0U);
    EXPECT_EQ(leased(pool).lease->name, "mta1");
}

TEST_F(PoolTest, WhoeverEndsKeepsNothing) {
    Pool& pool = make_pool();
    Session& session = leased(pool);
    use(pool);
    pool.drain();
    EXPECT_EQ(idle(), 0U);
    EXPECT_EQ(open(), 1U);
    EXPECT_TRUE(session.lease->transport->is_open()) << "sessions go on";
    give_back(session);
    EXPECT_EQ(idle() + open(), 0U);
    use(pool);
    EXPECT_EQ(idle() + open(), 0U) << "and are still served";
}

TEST_F(PoolTest, ANewOneWasNeverUsed) {
    Pool& pool = make_pool();
    use(pool);
    Session& session = leased(pool, "", true);
    EXPECT_FALSE(session.lease->was_used());
    EXPECT_EQ(idle(), 1U);
    EXPECT_EQ(mta_.accepted, 2U);
}

TEST_F(PoolTest, ANewOneTakesThePlaceOfAnIdleOne) {
    settings_.max_connections = 1;
    Pool& pool = make_pool();
    use(pool);
    Session& session = leased(pool, "", true);
    EXPECT_FALSE(session.lease->was_used());
    EXPECT_EQ(idle(), 0U);
    EXPECT_EQ(open(), 1U);
    EXPECT_EQ(waits_, 0);
    EXPECT_TRUE(await_open(mta_, 1));
}

TEST_F(PoolTest, SparesAreOpenedHandedOutAndReplaced) {
    settings_.min_idle = 2;
    Pool& pool = make_pool();
    EXPECT_TRUE(run_until([&] { return idle() == 2; }));
    Session& session = leased(pool, "", true);
    EXPECT_FALSE(session.lease->was_used());
    EXPECT_EQ(acquired_, "R");
    EXPECT_EQ(mta_.accepted, 2U);
    EXPECT_TRUE(run_until([&] { return idle() == 2; }));
    EXPECT_EQ(mta_.accepted, 3U);
    pool.drain();
    EXPECT_EQ(idle(), 0U);
    EXPECT_EQ(open(), 1U);
}

TEST_F(PoolTest, SparesKeepWithinWhatIsAllowed) {
    settings_.min_idle = 3;
    settings_.max_connections = 2;
    Pool& pool = make_pool();
    auto unwell = snapshot({&mta_, &other_});
    unwell->servers.back().is_healthy = false;
    pool.set_snapshot(unwell);
    EXPECT_TRUE(run_until([&] { return idle() == 2; }));
    EXPECT_EQ(mta_.accepted, 2U);
    EXPECT_EQ(other_.accepted, 0U);
    pool.set_snapshot(snapshot({}));
    EXPECT_EQ(idle() + open(), 0U);
}

TEST_F(PoolTest, SparesThatAreBeingOpenedEndWithIt) {
    settings_.min_idle = 2;
    mta_.answers["EHLO"] = "";
    Pool& pool = make_pool();
    EXPECT_TRUE(run_until([&] { return mta_.heard.size() == 2; }));
    EXPECT_EQ(open(), 2U);
    pool.drain();
    EXPECT_EQ(open(), 0U);
    EXPECT_TRUE(await_open(mta_, 0));
}

}  // namespace
}  // namespace gatepost::upstream

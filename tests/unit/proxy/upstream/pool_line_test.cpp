// All connections that are allowed are in use: who waits, how long, and who is next. Turns that
// are taken in vain are in pool_turns_test.cpp.
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

TEST_F(PoolLineTest, TheThirdWaitsForWhatIsGivenBack) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    (void)leased(other);
    Session& third = waiting(one);
    run_for(20ms);
    EXPECT_FALSE(third.is_over());
    const int fd = first.lease->transport->fd();
    give_back(first);
    EXPECT_TRUE(await(third));
    ASSERT_TRUE(third.lease);
    EXPECT_EQ(third.lease->transport->fd(), fd);
    EXPECT_EQ(mta_.accepted, 2U);
    EXPECT_EQ(waits_, 1);
    EXPECT_EQ(acquired_, "NNR");
}

TEST_F(PoolLineTest, OfAnotherPoolAPlaceIsAsGood) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    (void)leased(one);
    Session& third = waiting(other);
    give_back(first);
    EXPECT_TRUE(await(third));
    EXPECT_TRUE(third.lease);
    EXPECT_EQ(mta_.accepted, 3U);
    EXPECT_TRUE(await_open(mta_, 2));
    EXPECT_EQ(acquired_, "NNN");
}

TEST_F(PoolLineTest, AConnectionThatFailsMakesPlaceToo) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    (void)leased(pool);
    Session& third = waiting(pool);
    end(first);
    EXPECT_TRUE(await(third));
    EXPECT_TRUE(third.lease);
}

TEST_F(PoolLineTest, WaitingEndsInTime) {
    settings_.wait_timeout = 40ms;
    Pool& pool = make_pool();
    (void)leased(pool);
    (void)leased(pool);
    Session& third = waiting(pool);
    EXPECT_TRUE(await(third));
    ASSERT_TRUE(third.failure);
    EXPECT_EQ(third.failure->why, OpeningFailure::Why::kBusy);
    EXPECT_EQ(acquired_, "NNT");
    EXPECT_EQ(waiting_, 0);
    EXPECT_EQ(waits_, 1);
    EXPECT_FALSE(group_.is_anybody_waiting());
}

TEST_F(PoolLineTest, ThePoolOfAnotherWorkerLetsAnIdleOneGo) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    use(one);
    (void)leased(one, "", true);
    give_back(first);
    ASSERT_EQ(idle(), 1U);
    ASSERT_EQ(open(), 2U);
    Session& third = ask(other);
    EXPECT_TRUE(await(third));
    EXPECT_TRUE(third.lease);
    EXPECT_EQ(idle(), 0U);
    EXPECT_TRUE(run_until([&] { return mta_.heard_of("QUIT") == 2; }));
}

TEST_F(PoolLineTest, WhoeverCameFirstIsNext) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(other);
    Session& a = waiting(one);
    Session& b = waiting(one);
    Session& c = waiting(one);
    give_back(first);
    EXPECT_TRUE(await(a));
    end(second);
    EXPECT_TRUE(await(b));
    give_back(a);
    EXPECT_TRUE(await(c));
    EXPECT_THAT(answered_, ElementsAre(&first, &second, &a, &b, &c));
}

TEST_F(PoolLineTest, BetweenPoolsTheLongerWaitCountsNotTheConnection) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(one);
    Session& longest = waiting(other);
    run_for(120ms);
    Session& late = waiting(one);
    give_back(first);
    EXPECT_TRUE(await(longest));
    EXPECT_TRUE(longest.lease);
    EXPECT_FALSE(late.is_over());
    give_back(second);
    EXPECT_TRUE(await(late));
    EXPECT_TRUE(late.lease->was_used());
}

TEST_F(PoolLineTest, ALittleLongerIsNotWorthANewConnection) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(one);
    Session& longer = waiting(other);
    Session& here = waiting(one);
    give_back(first);
    EXPECT_TRUE(await(here));
    EXPECT_FALSE(longer.is_over());
    EXPECT_TRUE(here.lease->was_used());
    end(second);
    EXPECT_TRUE(await(longer));
}

TEST_F(PoolLineTest, ManyOfTheSameInstantAreAllServed) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(other);
    std::vector<Session*> many;
    for (int i = 0; i < 10; ++i) many.push_back(&ask(i % 3 == 0 ? other : one));
    EXPECT_TRUE(await_waiting(10));
    end(first);
    end(second);
    for (std::size_t done = 0; done < many.size(); ++done) {
        const auto has_one = [](const Session* session) { return session->lease.has_value(); };
        ASSERT_TRUE(run_until([&] { return std::ranges::any_of(many, has_one); })) << done;
        Session& next = **std::ranges::find_if(many, has_one);
        if (done % 2 == 0) {
            give_back(next);
        } else {
            end(next);
        }
    }
    EXPECT_EQ(waits_, 10);
    for (Session* const session : many) EXPECT_FALSE(session->failure);
}

TEST_F(PoolLineTest, ANewOneIsNotTheUsedOneThatIsGivenBack) {
    Pool& pool = make_pool();
    Session& first = leased(pool);
    (void)leased(pool);
    Session& fresh = waiting(pool, true);
    give_back(first);
    EXPECT_TRUE(await(fresh));
    ASSERT_TRUE(fresh.lease);
    EXPECT_FALSE(fresh.lease->was_used());
    EXPECT_EQ(mta_.accepted, 3U);
}

TEST_F(PoolLineTest, WhoeverGivesUpIsPassedOver) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    (void)leased(one);
    Session& gone = waiting(one);
    Session& elsewhere = waiting(other);
    Session& stays = waiting(one);
    gone.ticket.reset();
    elsewhere.ticket.reset();
    EXPECT_EQ(waiting_, 1);
    give_back(first);
    EXPECT_TRUE(await(stays));
    EXPECT_FALSE(gone.is_over());
}

TEST_F(PoolLineTest, AFailureToOpenMakesPlaceForTheNext) {
    Pool& one = make_pool();
    Pool& other = make_pool();
    Session& first = leased(one);
    Session& second = leased(one);
    Session& a = waiting(one);
    Session& b = waiting(other);
    mta_.answers[""] = "421 busy\r\n";
    end(first);
    EXPECT_TRUE(await(a));
    EXPECT_TRUE(a.failure);
    EXPECT_TRUE(await(b));
    EXPECT_TRUE(b.failure);
    mta_.answers[""] = "220 mta\r\n";
    (void)second;
}

TEST_F(PoolLineTest, WhoeverWaitsGetsASpare) {
    settings_.max_connections = 1;
    settings_.min_idle = 1;
    mta_.answers["EHLO"] = "";
    Pool& pool = make_pool();
    Session& session = waiting(pool);
    EXPECT_TRUE(run_until([&] { return mta_.heard.size() == 1; }));
    mta_.say("250 mta\r\n");
    EXPECT_TRUE(await(session));
    EXPECT_TRUE(session.lease);
    EXPECT_EQ(mta_.accepted, 1U);
}

}  // namespace
}  // namespace gatepost::upstream

// How a session gets a new connection: which servers are tried, for how long, and what they are told.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/pool_fixture.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using test::FakeMta;
using test::Session;
using Why = OpeningFailure::Why;

class PoolServersTest : public test::PoolTest {
  protected:
    Pool& make_pool_of_both() {
        Pool& pool = make_pool();
        pool.set_snapshot(snapshot({&mta_, &other_}));
        return pool;
    }
};

TEST_F(PoolServersTest, WithoutServersThereIsNoAddress) {
    Pool& pool = make_pool();
    pool.set_snapshot(snapshot({}));
    Session& session = ask(pool);
    EXPECT_TRUE(await(session));
    ASSERT_TRUE(session.failure);
    EXPECT_EQ(session.failure->why, Why::kNoAddress);
}

TEST_F(PoolServersTest, WhoeverRefusesIsPassedOver) {
    Pool& pool = make_pool_of_both();
    for (const std::string greeting : {"421 busy\r\n", "554 no\r\n", "hello\r\n", "\x01"}) {
        mta_.answers[""] = greeting;
        served_.clear();
        Session& session = leased(pool, "", true);
        EXPECT_EQ(session.lease->name, "mta1") << greeting;
        EXPECT_EQ(session.lease->endpoint, 1U);
        EXPECT_EQ(served_, "0-1+") << greeting;
        end(session);
    }
    EXPECT_EQ(open(), 0U);
    mta_.shut();
    EXPECT_EQ(leased(pool).lease->name, "mta1");
    EXPECT_EQ(connects_.back(), "ok");
    EXPECT_EQ(connects_[connects_.size() - 2], "connection failed");
}

TEST_F(PoolServersTest, WhoeverHangsDoesNotUseUpTheTimeForAll) {
    settings_.connect_timeout = 200ms;
    Pool& pool = make_pool_of_both();
    mta_.answers[""] = "";
    EXPECT_EQ(leased(pool).lease->name, "mta1");
    EXPECT_EQ(served_, "0-1+");
    EXPECT_THAT(connects_, ElementsAre("no answer in time", "ok"));
    EXPECT_TRUE(await_open(mta_, 0));
}

TEST_F(PoolServersTest, WhoeverHasTalkedHasTheWholeTime) {
    settings_.connect_timeout = 200ms;
    Pool& pool = make_pool_of_both();
    mta_.answers["EHLO"] = "";
    Session& session = ask(pool);
    EXPECT_TRUE(run_until([&] { return !mta_.heard.empty(); }));
    run_for(120ms);
    mta_.say("250 mta\r\n");
    EXPECT_TRUE(await(session));
    ASSERT_TRUE(session.lease);
    EXPECT_EQ(session.lease->name, "mta0");
}

TEST_F(PoolServersTest, TheTimeIsForAllTogether) {
    settings_.connect_timeout = 100ms;
    Pool& pool = make_pool_of_both();
    mta_.answers[""] = other_.answers[""] = "";
    Session& session = ask(pool);
    EXPECT_TRUE(run_until([&] { return session.is_over(); }, 250ms));
    ASSERT_TRUE(session.failure);
    EXPECT_EQ(session.failure->why, Why::kTimedOut);
    EXPECT_EQ(served_, "0-1-");
    EXPECT_EQ(open(0) + open(1), 0U);
}

TEST_F(PoolServersTest, WhatTheLastOneSaidIsTold) {
    Pool& pool = make_pool_of_both();
    mta_.answers[""] = "421 busy\r\n";
    other_.answers[""] = "554 go away\r\n";
    Session& session = ask(pool);
    EXPECT_TRUE(await(session));
    ASSERT_TRUE(session.failure);
    EXPECT_EQ(session.failure->why, Why::kRefusedForGood);
    EXPECT_THAT(session.failure->what, HasSubstr("554 go away"));
    EXPECT_EQ(acquired_, "");
}

TEST_F(PoolServersTest, OneThatIsFullIsPassedOver) {
    settings_.max_connections = 1;
    Pool& pool = make_pool_of_both();
    EXPECT_EQ(leased(pool).lease->name, "mta0");
    EXPECT_EQ(leased(pool).lease->name, "mta1");
    EXPECT_EQ(waits_, 0);
}

TEST_F(PoolServersTest, WhenNobodyIsWellAllAreTried) {
    Pool& pool = make_pool();
    auto unwell = snapshot({&mta_, &other_});
    for (Server& server : unwell->servers) server.is_healthy = false;
    pool.set_snapshot(unwell);
    mta_.shut();
    EXPECT_EQ(leased(pool).lease->name, "mta1");
}

TEST_F(PoolServersTest, ATicketThatIsDestroyedEndsEverything) {
    Pool& pool = make_pool();
    Session& never_begun = ask(pool);
    never_begun.ticket.reset();
    run_for(5ms);
    EXPECT_EQ(mta_.accepted, 0U);
    for (const std::string word : {"", "EHLO"}) {
        const std::string before = std::exchange(mta_.answers[word], "");
        const std::size_t accepted = mta_.accepted + 1;
        Session& session = ask(pool);
        EXPECT_TRUE(
            run_until([&] { return mta_.accepted == accepted && (word.empty() || !mta_.heard.empty()); }));
        EXPECT_EQ(open(), 1U);
        session.ticket.reset();
        EXPECT_EQ(open(), 0U);
        EXPECT_TRUE(await_open(mta_, 0));
        EXPECT_FALSE(session.is_over());
        mta_.answers[word] = before;
    }
    EXPECT_TRUE(connects_.empty());
}

TEST_F(PoolServersTest, ATicketMayEndBetweenTwoServers) {
    Pool& pool = make_pool_of_both();
    mta_.answers[""] = "421 busy\r\n";
    other_.answers[""] = "";
    Session& session = ask(pool);
    EXPECT_TRUE(run_until([&] { return other_.accepted == 1; }));
    session.ticket.reset();
    EXPECT_EQ(open(0) + open(1), 0U);
    EXPECT_TRUE(await_open(other_, 0));
}

TEST_F(PoolServersTest, AnAddressIsToldToEachNewConnection) {
    settings_.identity = Identity::kProxyV1;
    Pool& pool = make_pool();
    Session& session = leased(pool, "ann");
    EXPECT_THAT(mta_.heard, ElementsAre("PROXY TCP4 192.0.2.1 198.51.100.1 99 587", "EHLO gw.test"));
    end(session);
}

TEST_F(PoolServersTest, XclientTellsWhoTheClientIs) {
    settings_.identity = Identity::kXclient;
    Pool& pool = make_pool();
    Session& session = leased(pool, "ann");
    EXPECT_THAT(mta_.heard, ElementsAre("EHLO gw.test", "XCLIENT LOGIN=ann ADDR=192.0.2.1", "EHLO gw.test"));
    end(session);
}

class PoolLoginTest : public PoolServersTest {
  protected:
    PoolLoginTest() {
        settings_.identity = Identity::kXclientLogin;
        settings_.opener.opening.xclient = smtp::OpeningSettings::Xclient::kLogin;
    }
    std::vector<std::string> logins() const {
        std::vector<std::string> told;
        std::ranges::copy_if(mta_.heard, std::back_inserter(told),
                             [](const std::string& line) { return line.starts_with("XCLIENT"); });
        return told;
    }
};

TEST_F(PoolLoginTest, IsToldToWhoeverWasToldAnother) {
    Pool& pool = make_pool();
    use(pool, "ann");
    use(pool, "ann");
    EXPECT_THAT(logins(), ElementsAre("XCLIENT LOGIN=ann"));
    use(pool, "bob");
    EXPECT_THAT(logins(), ElementsAre("XCLIENT LOGIN=ann", "XCLIENT LOGIN=bob"));
    EXPECT_EQ(mta_.accepted, 1U);
    EXPECT_EQ(acquired_, "NRR");
    const std::size_t before = logins().size();
    use(pool, "");
    EXPECT_EQ(logins().size(), before + 1) << "nobody is somebody else";
    use(pool, "bob");
    EXPECT_EQ(logins().back(), "XCLIENT LOGIN=bob");
}

TEST_F(PoolLoginTest, IsToldOnASpare) {
    settings_.min_idle = 1;
    Pool& pool = make_pool();
    EXPECT_TRUE(run_until([&] { return idle() == 1; }));
    EXPECT_TRUE(logins().empty());
    use(pool, "ann");
    EXPECT_THAT(logins(), ElementsAre("XCLIENT LOGIN=ann"));
    EXPECT_EQ(mta_.accepted, 1U);
}

TEST_F(PoolLoginTest, WhatIsStaleIsReplaced) {
    for (const std::string answer : {"550 no\r\n", "\x01", "421 idle\r\n"}) {
        Pool& pool = make_pool();
        use(pool, "ann");
        const std::size_t accepted = mta_.accepted;
        served_.clear();
        mta_.once["XCLIENT"] = answer;
        Session& session = leased(pool, "bob");
        EXPECT_FALSE(session.lease->was_used());
        EXPECT_EQ(mta_.accepted, accepted + 1);
        EXPECT_EQ(served_, "0+") << "to be stale is no failure";
        end(session);
    }
}

TEST_F(PoolLoginTest, WhoeverRefusesItOnANewConnectionFails) {
    Pool& pool = make_pool();
    use(pool, "ann");
    mta_.answers["XCLIENT"] = "550 no\r\n";
    Session& session = ask(pool, "bob");
    EXPECT_TRUE(await(session));
    ASSERT_TRUE(session.failure);
    EXPECT_EQ(session.failure->why, Why::kNotHonoured);
    EXPECT_EQ(mta_.accepted, 2U);
    EXPECT_EQ(idle() + open(), 0U);
}

TEST_F(PoolLoginTest, ATicketMayEndWhileItIsTold) {
    Pool& pool = make_pool();
    use(pool, "ann");
    mta_.answers["XCLIENT"] = "";
    Session& session = ask(pool, "bob");
    EXPECT_TRUE(run_until([&] { return mta_.heard.back() == "XCLIENT LOGIN=bob"; }));
    session.ticket.reset();
    EXPECT_EQ(open(), 0U);
    EXPECT_TRUE(await_open(mta_, 0));
}

}  // namespace
}  // namespace gatepost::upstream

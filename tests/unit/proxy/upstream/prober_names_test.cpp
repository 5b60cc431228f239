// Which servers there are: every address that a name has now.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/prober_fixture.h"

namespace gatepost::upstream {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using test::FakeMta;

class ProberNamesTest : public test::ProberTest {
  protected:
    /// Then names are asked for at each interval, and not at each TTL.
    void make_unwell() {
        for (FakeMta* const mta : {&one_, &other_}) mta->answers[""] = "421 not now\r\n";
    }

    FakeMta one_{loop_};
    FakeMta other_{loop_};
};

TEST_F(ProberNamesTest, WhatIsNoNameIsThereFromTheStart) {
    start({one_.address().to_string(), "unix:/nowhere"});
    ASSERT_EQ(prober_->snapshot()->servers.size(), 2U);
    EXPECT_EQ(prober_->snapshot()->servers.front().address, one_.address());
    EXPECT_EQ(prober_->snapshot()->servers.front().name, one_.address().to_string());
    EXPECT_EQ(resolver_.asked, 0U);
    EXPECT_EQ(snapshots_, 0);
}

TEST_F(ProberNamesTest, EveryAddressOfANameIsAServer) {
    resolver_.say({one_.address(), other_.address()});
    start({"mta.test:25"});
    EXPECT_THAT(prober_->snapshot()->servers, IsEmpty());
    ASSERT_TRUE(await_healthy(2));
    const auto& servers = prober_->snapshot()->servers;
    EXPECT_EQ(servers[0].address, one_.address());
    EXPECT_EQ(servers[1].address, other_.address());
    for (const Server& server : servers) {
        EXPECT_EQ(server.endpoint, 0U);
        EXPECT_EQ(server.name, "mta.test:25");
    }
}

TEST_F(ProberNamesTest, OneThatSaysNothingKeepsNobodyElseBack) {
    one_.answers[""] = "";
    resolver_.say({one_.address(), other_.address()});
    start({"mta.test:25"});
    EXPECT_TRUE(await_healthy(1));
    EXPECT_FALSE(prober_->snapshot()->servers.front().is_healthy);
}

TEST_F(ProberNamesTest, IsProbedWhenEachAddressHasAnsweredOnce) {
    one_.answers[""] = "";
    other_.answers[""] = "421 not now\r\n";
    resolver_.say({one_.address(), other_.address()});
    start({"mta.test:25"});
    EXPECT_FALSE(prober_->is_probed());
    ASSERT_TRUE(run_until([&] { return outcomes_.size() >= 2 && one_.open() == 1; }));
    EXPECT_FALSE(prober_->is_probed()) << "one was asked twice, the other has not answered";
    one_.say("220 mta\r\n");
    ASSERT_TRUE(run_until([&] { return prober_->is_probed(); }));
    EXPECT_EQ(healthy(), 1U);
}

TEST_F(ProberNamesTest, IsProbedWithoutAnyAddressOnceItWasResolvedInVain) {
    resolver_.fail(net::ResolveFailure::kUnavailable);
    start({"mta.test:25"});
    EXPECT_FALSE(prober_->is_probed());
    await_outcomes(1);
    EXPECT_TRUE(prober_->is_probed());
}

TEST_F(ProberNamesTest, AnAddressThatVanishesLeaves) {
    make_unwell();
    resolver_.say({one_.address(), other_.address()});
    start({"mta.test:25"});
    ASSERT_TRUE(await_servers(2));
    const auto before = prober_->snapshot();
    resolver_.say({other_.address()});
    ASSERT_TRUE(await_servers(1));
    EXPECT_EQ(prober_->snapshot()->servers.front().address, other_.address());
    const std::size_t accepted = one_.accepted;
    run_for(20ms);
    EXPECT_LE(one_.accepted, accepted + 1) << "it is probed no more";
    resolver_.say({one_.address(), other_.address()});
    ASSERT_TRUE(await_servers(2));
    EXPECT_EQ(prober_->snapshot()->find(0, one_.address())->totals, before->find(0, one_.address())->totals)
        << "connections to it are counted as before";
}

TEST_F(ProberNamesTest, OfAnAnswerThatIsCutNothingVanishes) {
    make_unwell();
    resolver_.say({one_.address()});
    start({"mta.test:25"});
    ASSERT_TRUE(await_servers(1));
    resolver_.say({other_.address()}, true);
    ASSERT_TRUE(await_servers(2));
    const std::size_t asked = resolver_.asked;
    ASSERT_TRUE(run_until([&] { return resolver_.asked >= asked + 2; }));
    EXPECT_EQ(prober_->snapshot()->servers.size(), 2U);
}

TEST_F(ProberNamesTest, ANameThatIsNoMoreTakesAllAway) {
    make_unwell();
    resolver_.say({one_.address(), other_.address()});
    start({"mta.test:25"});
    ASSERT_TRUE(await_servers(2));
    changes_.clear();
    resolver_.fail(net::ResolveFailure::kNoSuchName);
    ASSERT_TRUE(await_servers(0));
    ASSERT_TRUE(run_until([&] { return outcomes_.back() == "0 no address today"; }));
    const std::size_t asked = resolver_.asked;
    ASSERT_TRUE(run_until([&] { return resolver_.asked >= asked + 2; }));
    EXPECT_EQ(std::ranges::count(changes_, "0  down, no address today"), 1) << "told once";
}

TEST_F(ProberNamesTest, AnOutageOfTheDnsTakesNothingAway) {
    resolver_.answers = {net::Resolved{.addresses = {one_.address()}, .ttl = {}},
                         std::unexpected(net::ResolveError{.message = "no DNS today"})};
    start({"mta.test:25"});
    ASSERT_TRUE(await_healthy(1));
    ASSERT_TRUE(run_until([&] { return resolver_.asked >= 3; }));
    EXPECT_EQ(healthy(), 1U);
    EXPECT_THAT(outcomes_, Each("0 good"));
}

TEST_F(ProberNamesTest, ANameThatNeverHadAnAddressIsBad) {
    resolver_.fail(net::ResolveFailure::kUnavailable);
    start({one_.address().to_string(), "mta.test:25"});
    ASSERT_TRUE(run_until([&] { return resolver_.asked >= 3 && healthy() == 1; }));
    EXPECT_THAT(outcomes_, ::testing::Contains("1 no address today"));
    EXPECT_EQ(std::ranges::count(changes_, "1  down, no address today"), 1) << "told once";
    resolver_.say({other_.address()});
    EXPECT_TRUE(await_healthy(2));
    EXPECT_THAT(changes_.back(), HasSubstr(" up"));
}

TEST_F(ProberNamesTest, IsAskedForAgainWhenItsTimeIsOver) {
    resolver_.say({one_.address()});
    start({"mta.test:25"});
    ASSERT_TRUE(await_healthy(1));
    run_for(50ms);
    const std::size_t asked = resolver_.asked;
    resolver_.say({other_.address()});
    run_for(200ms);
    EXPECT_EQ(resolver_.asked, asked) << "a TTL of 0 is one of 1 s";
    ASSERT_TRUE(run_until([&] { return prober_->snapshot()->find(0, other_.address()) != nullptr; }));
    EXPECT_EQ(prober_->snapshot()->servers.size(), 1U);
    EXPECT_EQ(resolver_.asked, asked + 1);
}

}  // namespace
}  // namespace gatepost::upstream

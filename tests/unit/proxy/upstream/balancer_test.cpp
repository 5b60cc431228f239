#include "proxy/upstream/balancer.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;

class BalancerTest : public ::testing::Test {
  protected:
    void add(bool healthy, std::size_t active = 0) {
        snapshot_.servers.push_back({.endpoint = snapshot_.servers.size(),
                                     .name = "mta",
                                     .tls_name = {},
                                     .address = {},
                                     .is_healthy = healthy,
                                     .is_known = true,
                                     .capabilities = {}});
        for (std::size_t i = 0; i < active; ++i) take(snapshot_.servers.size() - 1);
    }
    void take(std::size_t server) {
        slots_.push_back(
            TotalSlot::take(snapshot_.servers[server].totals, &ServerTotals::active, ~std::uint64_t{0}));
    }

    Snapshot snapshot_;
    std::vector<TotalSlot> slots_;
};

TEST_F(BalancerTest, NothingToChooseFrom) {
    for (const Balance balance : {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kFirstHealthy})
        EXPECT_THAT(Balancer(balance).order(snapshot_), ElementsAre());
}

TEST_F(BalancerTest, HealthyOnesComeFirst) {
    add(false);
    add(true, 3);
    add(false);
    add(true, 3);
    EXPECT_THAT(Balancer(Balance::kFirstHealthy).order(snapshot_), ElementsAre(1, 3, 0, 2));
    EXPECT_THAT(Balancer(Balance::kRoundRobin).order(snapshot_), ElementsAre(1, 3, 0, 2));
    EXPECT_THAT(Balancer(Balance::kLeastConnections).order(snapshot_), ElementsAre(1, 3, 0, 2));
}

TEST_F(BalancerTest, FirstHealthyStaysWhereItIs) {
    add(true, 9);
    add(true);
    Balancer balancer(Balance::kFirstHealthy);
    for (int i = 0; i < 3; ++i) EXPECT_THAT(balancer.order(snapshot_), ElementsAre(0, 1));
    snapshot_.servers[0].is_healthy = false;
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(1, 0));
}

TEST_F(BalancerTest, RoundRobinGoesRoundWhateverIsActive) {
    add(true, 9);
    add(true);
    add(true, 2);
    Balancer balancer(Balance::kRoundRobin);
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(0, 1, 2));
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(1, 2, 0));
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(2, 0, 1));
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(0, 1, 2));
    snapshot_.servers.pop_back();
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(0, 1)) << "after the fourth turn, of two";
}

TEST_F(BalancerTest, LeastConnectionsCountsWhatSessionsHold) {
    add(true, 2);
    add(true, 1);
    add(true, 3);
    Balancer balancer(Balance::kLeastConnections);
    for (int i = 0; i < 4; ++i) EXPECT_THAT(balancer.order(snapshot_), ElementsAre(1, 0, 2));
    slots_.clear();
    take(1);
    EXPECT_EQ(balancer.order(snapshot_).back(), 1U);
}

TEST_F(BalancerTest, OfEquallyBusyOnesEachHasItsTurn) {
    for (int i = 0; i < 3; ++i) add(true, 1);
    Balancer balancer(Balance::kLeastConnections);
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(0, 1, 2));
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(1, 2, 0));
    EXPECT_THAT(balancer.order(snapshot_), ElementsAre(2, 0, 1));
}

}  // namespace
}  // namespace gatepost::upstream

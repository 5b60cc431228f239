// Connections that name their client: kept for him alone, between his transactions, and no longer than he is
// there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/pool_fixture.h"

namespace gatepost::upstream {
namespace {

using namespace std::chrono_literals;

class PoolOwnedTest : public test::PoolTest, public ::testing::WithParamInterface<Identity> {
  protected:
    PoolOwnedTest() {
        settings_.identity = GetParam();
        mta_.answers["EHLO"] = "250-mta\r\n250 XCLIENT ADDR PORT HELO LOGIN\r\n";
    }
};

TEST_P(PoolOwnedTest, TheSameSessionHasItAgain) {
    Pool& pool = make_pool();
    use(pool, "ann");
    test::Session& again = leased(pool, "ann");
    EXPECT_TRUE(again.lease->was_used());
    EXPECT_EQ(mta_.accepted, 1U);
    EXPECT_EQ(acquired_, "NR");
    give_back(again);
}

TEST_P(PoolOwnedTest, NobodyElseHasIt) {
    Pool& pool = make_pool();
    use(pool, "ann");
    session_number_ = 2;
    EXPECT_FALSE(leased(pool, "ann").lease->was_used()) << "the same user, another session";
    EXPECT_EQ(mta_.accepted, 2U);
    EXPECT_EQ(acquired_, "NN");
}

TEST_P(PoolOwnedTest, WhoHasLoggedInMeanwhileIsSomebodyElse) {
    Pool& pool = make_pool();
    use(pool, "");
    EXPECT_FALSE(leased(pool, "ann").lease->was_used());
}

TEST_P(PoolOwnedTest, EndsWithItsSession) {
    Pool& pool = make_pool();
    use(pool, "ann");
    pool.forget(2);
    EXPECT_EQ(idle(), 1U);
    pool.forget(1);
    EXPECT_EQ(idle() + open(), 0U);
}

TEST_P(PoolOwnedTest, AnIdleOneMakesPlaceForOthers) {
    settings_.max_connections = 1;
    settings_.max_idle = 1;
    Pool& pool = make_pool();
    use(pool, "ann");
    session_number_ = 2;
    EXPECT_FALSE(leased(pool, "bob").lease->was_used());
    EXPECT_EQ(waits_, 0) << "who has nothing to send stands in nobody's way";
}

TEST_P(PoolOwnedTest, GoesToNobodyWhoWaits) {
    settings_.max_connections = 1;
    settings_.max_idle = 1;
    Pool& pool = make_pool();
    test::Session& holder = leased(pool, "ann");
    session_number_ = 2;
    test::Session& waiting = ask(pool, "bob");
    EXPECT_TRUE(run_until([&] { return waiting_ == 1; }));
    give_back(holder);
    EXPECT_TRUE(await(waiting));
    ASSERT_TRUE(waiting.lease);
    EXPECT_FALSE(waiting.lease->was_used());
    EXPECT_EQ(mta_.accepted, 2U);
}

INSTANTIATE_TEST_SUITE_P(Identities, PoolOwnedTest,
                         ::testing::Values(Identity::kXclient, Identity::kProxyV1, Identity::kProxyV2));

}  // namespace
}  // namespace gatepost::upstream

#include "proxy/upstream/health.h"

#include <gtest/gtest.h>

namespace gatepost::upstream {
namespace {

TEST(Health, FirstProbeDecidesAtOnce) {
    Health good(2, 3);
    EXPECT_FALSE(good.is_known());
    EXPECT_TRUE(good.note(true));
    EXPECT_TRUE(good.is_healthy());

    Health bad(2, 3);
    EXPECT_TRUE(bad.note(false)) << "unknown to unhealthy is a change that is to be told";
    EXPECT_FALSE(bad.is_healthy());
}

TEST(Health, FallsAfterThreeBadInARow) {
    Health health(2, 3);
    (void)health.note(true);
    EXPECT_FALSE(health.note(false));
    EXPECT_FALSE(health.note(false));
    EXPECT_TRUE(health.is_healthy());
    EXPECT_TRUE(health.note(false));
    EXPECT_FALSE(health.is_healthy());
}

TEST(Health, OneGoodProbeForgivesTheBadOnesBefore) {
    Health health(2, 3);
    (void)health.note(true);
    for (int round = 0; round < 5; ++round) {
        EXPECT_FALSE(health.note(false));
        EXPECT_FALSE(health.note(false));
        EXPECT_FALSE(health.note(true));
    }
    EXPECT_TRUE(health.is_healthy());
}

TEST(Health, RisesAfterTwoGoodInARow) {
    Health health(2, 3);
    (void)health.note(false);
    EXPECT_FALSE(health.note(true));
    EXPECT_FALSE(health.note(false));
    EXPECT_FALSE(health.note(true));
    EXPECT_TRUE(health.note(true));
    EXPECT_TRUE(health.is_healthy());
}

}  // namespace
}  // namespace gatepost::upstream

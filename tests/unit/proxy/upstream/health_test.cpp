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

TEST(Health, SessionsThatFailInARowAreAReasonToEject) {
    Health health(2, 3);
    EXPECT_FALSE(health.note_session(false));
    (void)health.note(true);
    EXPECT_FALSE(health.note_session(true)) << "forgives what was before";
    EXPECT_FALSE(health.note_session(false));
    EXPECT_FALSE(health.note_session(false));
    EXPECT_FALSE(health.note_session(true));
    EXPECT_FALSE(health.note_session(false));
    EXPECT_FALSE(health.note_session(false));
    EXPECT_TRUE(health.note_session(false));
    EXPECT_TRUE(health.is_healthy()) << "whoever asked decides";
    EXPECT_TRUE(health.note_session(false)) << "and may have been unable to, so far";
}

TEST(Health, WhoeverWasEjectedRisesByGoodProbesOnly) {
    Health health(2, 3);
    (void)health.note(true);
    for (int i = 0; i < 3; ++i) (void)health.note_session(false);
    health.eject();
    EXPECT_FALSE(health.is_healthy());
    EXPECT_FALSE(health.note_session(true));
    EXPECT_FALSE(health.is_healthy());
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(health.note_session(false)) << "is ejected already";
    EXPECT_FALSE(health.note(true));
    EXPECT_FALSE(health.note(false));
    EXPECT_FALSE(health.note(true));
    EXPECT_TRUE(health.note(true));
    EXPECT_TRUE(health.is_healthy());
}

TEST(Health, BeforeTheFirstProbeNobodyIsEjected) {
    Health health(1, 1);
    EXPECT_FALSE(health.note_session(false));
    EXPECT_FALSE(health.is_known());
}

}  // namespace
}  // namespace gatepost::upstream

#include "proxy/observe/auth_blocks.h"

#include <gtest/gtest.h>

namespace gatepost::observe {
namespace {

using std::chrono::seconds;
using enum conf::GuessingScope;

constexpr TimePoint kNow{std::chrono::hours(1)};
constexpr seconds kLong{60};

TEST(AuthBlocks, AreCountedByScopeUntilTheyEnd) {
    AuthBlocks blocks;
    blocks.note(kIp, "guess:ip:192.0.2.1", kNow, kNow + seconds(10));
    blocks.note(kIp, "guess:ip:192.0.2.2", kNow, kNow + seconds(20));
    blocks.note(kNetwork, "guess:net:192.0.2.0/24", kNow, kNow + seconds(30));
    EXPECT_EQ(blocks.active(kIp, kNow), 2U);
    EXPECT_EQ(blocks.active(kNetwork, kNow), 1U);
    EXPECT_EQ(blocks.active(kUserAndNetwork, kNow), 0U);
    EXPECT_EQ(blocks.active(kIp, kNow + seconds(10)), 1U);
    EXPECT_EQ(blocks.active(kIp, kNow + seconds(25)), 0U);
    EXPECT_EQ(blocks.active(kNetwork, kNow + seconds(25)), 1U);
}

TEST(AuthBlocks, WhatIsSaidLastOfAKeyHolds) {
    AuthBlocks blocks;
    blocks.note(kIp, "a", kNow, kNow + seconds(10));
    blocks.note(kIp, "a", kNow, kNow + kLong);
    EXPECT_EQ(blocks.active(kIp, kNow), 1U);
    EXPECT_EQ(blocks.active(kIp, kNow + seconds(30)), 1U) << "it grew";
    blocks.note(kIp, "a", kNow, kNow + seconds(5));
    EXPECT_EQ(blocks.active(kIp, kNow + seconds(5)), 0U) << "it was shorter than thought";
    blocks.note(kIp, "a", kNow, kNow);
    EXPECT_EQ(blocks.active(kIp, kNow), 0U);
}

TEST(AuthBlocks, AreForgottenByKey) {
    AuthBlocks blocks;
    blocks.note(kIp, "a", kNow, kNow + kLong);
    blocks.note(kIp, "b", kNow, kNow + kLong);
    blocks.note(kNetwork, "c", kNow, kNow + kLong);
    blocks.forget("a");
    blocks.forget("a");
    blocks.forget("nobody");
    EXPECT_EQ(blocks.active(kIp, kNow), 1U);
    EXPECT_EQ(blocks.active(kNetwork, kNow), 1U);
}

TEST(AuthBlocks, OfAFloodOnlySoManyAreRemembered) {
    AuthBlocks blocks;
    for (std::size_t i = 0; i < AuthBlocks::kMost + 100; ++i)
        blocks.note(kIp, std::to_string(i), kNow, kNow + kLong);
    EXPECT_EQ(blocks.active(kIp, kNow), AuthBlocks::kMost);
    blocks.note(kIp, "later", kNow + kLong, kNow + kLong + kLong);
    EXPECT_EQ(blocks.active(kIp, kNow + kLong), 1U) << "those that have ended make room";
}

}  // namespace
}  // namespace gatepost::observe

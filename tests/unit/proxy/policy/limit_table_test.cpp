#include "proxy/policy/limit_table.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

constexpr std::int64_t kNow = 1000;

std::uint32_t hash_of(const std::string& key) {
    return static_cast<std::uint32_t>(std::stoi(key) % 7);  // many in one bucket
}

void add(LimitTable& table, int key, std::int64_t empty_at) {
    const std::string text = std::to_string(key);
    table.counts(table.add(text, hash_of(text), kNow)).state.empty_at = empty_at;
}

LimitTable::Slot slot_of(const LimitTable& table, int key) {
    const std::string text = std::to_string(key);
    return table.find(text, hash_of(text));
}

bool has(const LimitTable& table, int key) {
    return slot_of(table, key) != LimitTable::kNone;
}

/// Keys 0.. that have not worn off, of the first `there` of which somebody is there.
LimitTable full_table(int keys, int there) {
    LimitTable table(static_cast<std::size_t>(keys));
    for (int key = 0; key < keys; ++key) add(table, key, kNow + 1);
    for (int key = 0; key < there; ++key) table.counts(slot_of(table, key)).there_now = 1;
    return table;
}

TEST(LimitTable, WhenFull_ForgetsTheOldestOfWhichNobodyIsThere) {
    LimitTable table = full_table(20, LimitTable::kProbes);
    add(table, 100, kNow + 1);
    EXPECT_EQ(table.size(), 20U);
    EXPECT_TRUE(has(table, 100));
    EXPECT_FALSE(has(table, LimitTable::kProbes));
    for (int key = 0; key < LimitTable::kProbes; ++key) EXPECT_TRUE(has(table, key)) << key;
}

TEST(LimitTable, WhenOfAllTheOldestSomebodyIsThere_ForgetsOneOfThemAfterAFewProbes) {
    LimitTable table = full_table(20, LimitTable::kProbes + 1);
    add(table, 100, kNow + 1);
    EXPECT_EQ(table.size(), 20U);
    EXPECT_FALSE(has(table, LimitTable::kProbes));
    EXPECT_TRUE(has(table, LimitTable::kProbes + 1));
}

TEST(LimitTable, WhenOfTheOldestSomebodyStays_SweepsWhatHasWornOffBehind) {
    LimitTable table(100);
    add(table, 0, kNow + 1);
    table.counts(slot_of(table, 0)).there_now = 1;
    for (int key = 1; key < 50; ++key) add(table, key, kNow + 1);
    for (int key = 1; key < 50; ++key) table.counts(slot_of(table, key)).state.empty_at = kNow - 1;
    for (int key = 100; key < 150; ++key) add(table, key, kNow + 1);
    EXPECT_TRUE(has(table, 0));
    for (int key = 1; key < 50; ++key) EXPECT_FALSE(has(table, key)) << key;
    EXPECT_EQ(table.size(), 51U);
}

TEST(LimitTable, WhenKeysComeAndGo_FindsThoseThatAreThereAndUsesSlotsAgain) {
    LimitTable table(1000);
    for (int round = 0; round < 5; ++round) {
        for (int key = 0; key < 500; ++key) add(table, key, kNow + 1 + key);
        for (int key = 0; key < 500; key += 2) table.remove(slot_of(table, key));
        for (int key = 0; key < 500; ++key) ASSERT_EQ(has(table, key), key % 2 == 1) << key;
        for (int key = 1; key < 500; key += 2) {
            const LimitTable::Slot slot = slot_of(table, key);
            ASSERT_EQ(table.counts(slot).state.empty_at, kNow + 1 + key);
            ASSERT_EQ(table.key(slot), std::to_string(key));
            table.remove(slot);
        }
    }
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.slots(), 500U);
}

}  // namespace
}  // namespace gatepost::policy

#include "auth/check/verify_cache.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Memory = VerifyCache::Memory;

constexpr TimePoint kStart{std::chrono::hours(1)};

std::unique_ptr<VerifyCache> cache_of(Duration time_to_live, std::size_t entries) {
    Result<std::unique_ptr<VerifyCache>> cache =
        VerifyCache::make({.time_to_live = time_to_live, .entries = entries});
    return cache ? std::move(*cache) : nullptr;
}

void remember(VerifyCache& cache, std::string_view backend, std::string_view user, std::string_view password,
              ByteView version, TimePoint now, const RecordAttributes& attributes = {}) {
    cache.remember(backend, user, password, version, attributes, cache.generation_of(backend, user), now);
}

class VerifyCacheTest : public testing::Test {
  protected:
    std::unique_ptr<VerifyCache> cache_ = cache_of(seconds(60), 1000);

    bool holds(std::string_view password, TimePoint now = kStart) {
        return cache_->holds("file", "ann", password, "v1", now);
    }
    void SetUp() override {
        ASSERT_NE(cache_, nullptr);
        remember(*cache_, "file", "ann", "pencil", "v1", kStart);
    }
};

TEST_F(VerifyCacheTest, HoldsWhatWasRememberedAndNothingElse) {
    EXPECT_TRUE(holds("pencil"));
    for (const std::string_view wrong : {"Pencil", "penci", "pencil ", ""}) EXPECT_FALSE(holds(wrong));
    EXPECT_FALSE(cache_->holds("file", "bob", "pencil", "v1", kStart));
    EXPECT_FALSE(cache_->holds("redis", "ann", "pencil", "v1", kStart));
    // Parts that read alike when they are put together.
    EXPECT_FALSE(cache_->holds("file", "annpencil", "", "v1", kStart));
    EXPECT_FALSE(cache_->holds("filean", "n", "pencil", "v1", kStart));
    EXPECT_EQ(cache_->counts().hits, 1U);
    EXPECT_EQ(cache_->counts().misses, 8U);
    EXPECT_EQ(cache_->counts().entries, 1U);
}

TEST_F(VerifyCacheTest, ARightPasswordRecallsWhatTheRecordSaid) {
    const RecordAttributes said{.upstream = "other", .senders = "*@example.org", .limit_class = "bulk"};
    remember(*cache_, "file", "bob", "pencil", "v1", kStart, said);
    RecordAttributes recalled{.upstream = "before", .senders = "", .limit_class = ""};
    EXPECT_EQ(cache_->recall("file", "bob", "guess", kStart, &recalled), Memory::kAnotherPassword);
    EXPECT_EQ(recalled.upstream, "before") << "a guess learns nothing";
    EXPECT_EQ(cache_->recall("file", "bob", "pencil", kStart, &recalled), Memory::kThisPassword);
    EXPECT_EQ(recalled, said);
    EXPECT_EQ(cache_->recall("file", "ann", "pencil", kStart, &recalled), Memory::kThisPassword);
    EXPECT_EQ(recalled, RecordAttributes{}) << "hers says nothing";
}

TEST_F(VerifyCacheTest, EntriesAreCountedByBackend) {
    remember(*cache_, "file", "bob", "pencil", "v1", kStart);
    remember(*cache_, "redis", "ann", "pencil", "v1", kStart);
    remember(*cache_, "redis", "ann", "another", "v1", kStart);  // in the place of the first
    EXPECT_EQ(cache_->entries_of("file"), 2U);
    EXPECT_EQ(cache_->entries_of("redis"), 1U);
    EXPECT_EQ(cache_->entries_of("nobody"), 0U);
    cache_->forget_user("file", "ann");
    cache_->forget("redis", "ann", "another");
    EXPECT_EQ(cache_->entries_of("file"), 1U);
    EXPECT_EQ(cache_->entries_of("redis"), 0U);
}

TEST_F(VerifyCacheTest, AnyVersionDoesWhenTheStoreCannotAnswer) {
    const auto goes_on = [&](std::string_view backend, std::string_view password, TimePoint now = kStart) {
        return cache_->recall(backend, "ann", password, now) == Memory::kThisPassword;
    };
    EXPECT_TRUE(goes_on("file", "pencil"));
    EXPECT_TRUE(goes_on("file", "pencil", kStart + seconds(60) - Duration(1)));
    EXPECT_FALSE(goes_on("file", "pencils"));
    EXPECT_EQ(cache_->recall("file", "ann", "pencils", kStart), Memory::kAnotherPassword);
    EXPECT_EQ(cache_->recall("file", "bob", "pencils", kStart), Memory::kNone);
    EXPECT_FALSE(goes_on("redis", "pencil")) << "another backend's";
    EXPECT_FALSE(goes_on("file", "pencil", kStart + seconds(60))) << "not for ever";
    EXPECT_EQ(cache_->counts().entries, 0U);

    remember(*cache_, "file", "ann", "pencil", "v1", kStart);
    EXPECT_FALSE(cache_->holds("file", "ann", "pencil", "v2", kStart));
    EXPECT_FALSE(goes_on("file", "pencil")) << "a change that was seen is not unseen by an outage";
    EXPECT_FALSE(cache_of(seconds(0), 10)->recall("file", "ann", "pencil", kStart) == Memory::kThisPassword);
}

TEST_F(VerifyCacheTest, AUserIsForgottenInOneBackend) {
    remember(*cache_, "redis", "ann", "pencil", "v1", kStart);
    remember(*cache_, "redis", "bob", "pencil", "v1", kStart);
    cache_->forget_user("redis", "ann");
    cache_->forget_user("redis", "nobody");
    EXPECT_FALSE(cache_->holds("redis", "ann", "pencil", "v1", kStart));
    EXPECT_TRUE(holds("pencil"));
    EXPECT_TRUE(cache_->holds("redis", "bob", "pencil", "v1", kStart));
}

TEST_F(VerifyCacheTest, ACheckBegunBeforeAUserWasForgottenIsNotRemembered) {
    const std::uint64_t begun = cache_->generation_of("file", "ann");
    const std::uint64_t elsewhere = cache_->generation_of("redis", "ann");
    cache_->forget_user("file", "ann");
    cache_->remember("file", "ann", "pencil", "v1", {}, begun, kStart);
    EXPECT_FALSE(holds("pencil"));
    remember(*cache_, "file", "ann", "pencil", "v1", kStart);
    EXPECT_TRUE(holds("pencil"));
    EXPECT_EQ(cache_->generation_of("redis", "ann"), elsewhere);
}

TEST_F(VerifyCacheTest, TimeToLiveIsAbsolute) {
    EXPECT_TRUE(holds("pencil", kStart + seconds(30)));
    EXPECT_TRUE(holds("pencil", kStart + seconds(60) - Duration(1))) << "a hit does not lengthen it";
    EXPECT_FALSE(holds("pencil", kStart + seconds(60)));
    EXPECT_EQ(cache_->counts().entries, 0U) << "it is dropped when it is seen";
    EXPECT_FALSE(holds("pencil", kStart));
}

TEST_F(VerifyCacheTest, TimeToLiveIsBounded) {
    cache_ = cache_of(std::chrono::hours(5), 10);
    remember(*cache_, "file", "ann", "pencil", "v1", kStart);
    EXPECT_TRUE(holds("pencil", kStart + minutes(10) - Duration(1)));
    EXPECT_FALSE(holds("pencil", kStart + minutes(10)));
}

TEST_F(VerifyCacheTest, ChangedRecordIsAMissAndDropsTheEntry) {
    EXPECT_FALSE(cache_->holds("file", "ann", "pencil", "v2", kStart));
    EXPECT_FALSE(holds("pencil")) << "not even when the old record comes back";
    EXPECT_EQ(cache_->counts().entries, 0U);
    remember(*cache_, "saslauthd", "ann", "pencil", "", kStart);
    EXPECT_TRUE(cache_->holds("saslauthd", "ann", "pencil", "", kStart))
        << "an opaque backend has no version";
}

TEST_F(VerifyCacheTest, StrangersWrongGuessFlushesNothing) {
    EXPECT_FALSE(holds("guess"));
    cache_->forget("file", "ann", "guess");
    EXPECT_TRUE(holds("pencil"));
    cache_->forget("redis", "ann", "pencil");
    cache_->forget("file", "bob", "pencil");
    EXPECT_TRUE(holds("pencil"));
    cache_->forget("file", "ann", "pencil");
    EXPECT_FALSE(holds("pencil")) << "the cached password itself failed afresh";
}

TEST_F(VerifyCacheTest, RememberedAnewReplaces) {
    remember(*cache_, "file", "ann", "eraser", "v1", kStart + seconds(50));
    EXPECT_FALSE(holds("pencil"));
    EXPECT_TRUE(holds("eraser", kStart + seconds(100)));
    EXPECT_EQ(cache_->counts().entries, 1U);
}

TEST_F(VerifyCacheTest, WhoWasUsedLeastRecentlyGoesFirst) {
    cache_ = cache_of(seconds(60), 3);
    for (const std::string_view user : {"ann", "bob", "cy"})
        remember(*cache_, "file", user, "pencil", "v1", kStart);
    EXPECT_TRUE(cache_->holds("file", "ann", "pencil", "v1", kStart));
    EXPECT_FALSE(cache_->holds("file", "bob", "guess", "v1", kStart)) << "a miss is no use";
    remember(*cache_, "file", "dan", "pencil", "v1", kStart);
    EXPECT_EQ(cache_->counts().entries, 3U);
    EXPECT_FALSE(cache_->holds("file", "bob", "pencil", "v1", kStart));
    for (const std::string_view user : {"ann", "cy", "dan"})
        EXPECT_TRUE(cache_->holds("file", user, "pencil", "v1", kStart)) << user;
}

TEST_F(VerifyCacheTest, IsBoundedHoweverManyUsersThereAre) {
    for (const std::size_t entries : {std::size_t{1}, std::size_t{300}, std::size_t{5000}}) {
        cache_ = cache_of(seconds(60), entries);
        for (int i = 0; i < 12'000; ++i)
            remember(*cache_, "file", std::to_string(i), "pencil", "", kStart + std::chrono::milliseconds(i));
        EXPECT_LE(cache_->counts().entries, entries);
        EXPECT_GE(cache_->counts().entries, entries * 9 / 10);
        EXPECT_TRUE(cache_->holds("file", "11999", "pencil", "", kStart + seconds(12)));
    }
}

TEST_F(VerifyCacheTest, WhatHasExpiredMakesRoomUnasked) {
    cache_ = cache_of(seconds(60), 200);
    for (int i = 0; i < 100; ++i) remember(*cache_, "file", std::to_string(i), "pencil", "", kStart);
    remember(*cache_, "file", "late", "pencil", "", kStart + minutes(2));
    EXPECT_EQ(cache_->counts().entries, 1U);
}

TEST_F(VerifyCacheTest, OffHoldsNothing) {
    for (const auto& [time_to_live, entries] :
         {std::pair(Duration::zero(), std::size_t{10}), std::pair(Duration(seconds(60)), std::size_t{0})}) {
        cache_ = cache_of(time_to_live, entries);
        remember(*cache_, "file", "ann", "pencil", "v1", kStart);
        EXPECT_FALSE(holds("pencil"));
        cache_->forget("file", "ann", "pencil");
        cache_->forget_user("file", "ann");
        EXPECT_EQ(cache_->counts().entries, 0U);
        EXPECT_EQ(cache_->counts().misses, 0U);
        EXPECT_TRUE(cache_->digest("file", "ann", "pencil", "v1").has_value());
    }
}

TEST_F(VerifyCacheTest, ManyThreadsAtOnce) {
    cache_ = cache_of(seconds(60), 500);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([this, thread, &wrong] {
            for (int i = 0; i < 3000; ++i) {
                const std::string user = std::to_string((i * 7 + thread) % 600);
                if (cache_->holds("file", user, "guess", "v1", kStart)) ++wrong;
                remember(*cache_, "file", user, "pw" + user, "v1", kStart);
                static_cast<void>(cache_->holds("file", user, "pw" + user, "v1", kStart));
                if (i % 5 == 0) cache_->forget("file", user, "pw" + user);
                if (i % 11 == 0) cache_->forget_user("file", user);
                if (cache_->counts().entries > 500) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(cache_->counts().hits + cache_->counts().misses, 4U * 3000U * 2U);
}

TEST_F(VerifyCacheTest, DigestsTellEveryPartApartAndEveryCache) {
    const auto digest = cache_->digest("file", "ann", "pencil", "v1");
    EXPECT_EQ(digest, cache_->digest("file", "ann", "pencil", "v1"));
    EXPECT_NE(digest, cache_->digest("redis", "ann", "pencil", "v1"));
    EXPECT_NE(digest, cache_->digest("file", "bob", "pencil", "v1"));
    EXPECT_NE(digest, cache_->digest("file", "ann", "Pencil", "v1"));
    EXPECT_NE(digest, cache_->digest("file", "ann", "pencil", "v2"));
    EXPECT_NE(digest, cache_->digest("file", "ann", "pencilv1", ""));
    EXPECT_NE(digest, cache_of(seconds(60), 10)->digest("file", "ann", "pencil", "v1"));
}

}  // namespace
}  // namespace gatepost::auth

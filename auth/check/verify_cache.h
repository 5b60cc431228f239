// Passwords that were right a moment ago, so that a mail client that reconnects costs a digest instead of a
// hash: keyed digests only, positive only, each bound to the record that it was checked against. Never holds
// a password, never says no by itself, asks no clock. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/check/keyed_digest.h"
#include "auth/check/record_attributes.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace gatepost::auth {

class VerifyCache {
  public:
    static constexpr Duration kLongestTimeToLive = std::chrono::minutes(10);
    static constexpr std::size_t kGenerations = 4096;

    struct Settings {
        Duration time_to_live = std::chrono::seconds(60);  ///< from remember() on, not from a hit; 0 = off
        std::size_t entries = 100'000;                     ///< at most so many; 0 = off
    };

    /// For metrics; read at any time from any thread.
    struct Counts {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;  ///< those of a cache that is off are not counted
        std::size_t entries = 0;   ///< now, those that have expired unseen included
    };

    /// Makes a key of its own: two caches have nothing in common, nor has the next start of the process.
    [[nodiscard]] static Result<std::unique_ptr<VerifyCache>> make(Settings settings);

    /// Whether exactly this password of `user` in `backend` was remembered, against exactly this `version`
    /// and less than the time to live ago. A miss means nothing but "check it". An entry of another version
    /// or past its time is dropped; another password leaves the entry as it is. `version`: what stands for
    /// the record, such as its text; "" where a backend shows none.
    [[nodiscard]] bool holds(std::string_view backend, std::string_view user, ByteView password,
                             ByteView version, TimePoint now);

    enum class Memory { kNone, kThisPassword, kAnotherPassword };

    /// For a store that cannot answer: what is remembered of the user, against whatever version.
    /// Of this password it fills in what the record said of the user when it was checked.
    [[nodiscard]] Memory recall(std::string_view backend, std::string_view user, ByteView password,
                                TimePoint now, RecordAttributes* attributes = nullptr);

    /// Changes with forget_user(). To be taken before the backend is asked, and handed to remember().
    [[nodiscard]] std::uint64_t generation_of(std::string_view backend, std::string_view user) const;

    /// Requires a fresh check of this very password that succeeded. Replaces what was known of the user in
    /// that backend; but nothing is remembered of whom forget_user() has named since `generation`: the check
    /// may be of a time when he was not yet disabled.
    void remember(std::string_view backend, std::string_view user, ByteView password, ByteView version,
                  const RecordAttributes& attributes, std::uint64_t generation, TimePoint now);

    /// After a fresh check that failed: drops the entry if it is of this same password. A stranger's wrong
    /// guess drops nothing (decisions.md 16).
    void forget(std::string_view backend, std::string_view user, ByteView password);

    /// Drops what is known of the user in that backend: he is disabled there, or gone.
    void forget_user(std::string_view backend, std::string_view user);

    [[nodiscard]] Counts counts() const;
    /// Of Counts::entries, those of one backend.
    [[nodiscard]] std::size_t entries_of(std::string_view backend) const;

    /// What identical checks have in common, for SingleFlight: the same parts give the same digest in this
    /// cache, even in one that is off. Nothing when libcrypto fails: then the check is like no other.
    [[nodiscard]] std::optional<Digest> digest(std::string_view backend, std::string_view user,
                                               ByteView password, ByteView version) const;

    /// Off: it never holds anything.
    [[nodiscard]] bool is_on() const noexcept { return !shards_.empty(); }

  private:
    struct Entry {
        std::string user;
        std::string backend;
        Digest salt{};   // random, so that an entry made anew looks new
        Digest whole{};  // of password and version together: a hit costs this one alone
        Digest password{};
        Digest version{};
        std::unique_ptr<const RecordAttributes> attributes{};  // where the record has any
        TimePoint expires_at;
    };
    using Entries = std::list<Entry>;  // used most recently first

    struct Shard {
        mutable std::mutex mutex;
        Entries entries;
        std::unordered_multimap<std::string_view, Entries::iterator>
            by_user;                                                 // keys are views of the entries
        std::map<std::string, std::size_t, std::less<>> by_backend;  // how many entries
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;

        // All with the mutex held.
        [[nodiscard]] Entries::iterator find(std::string_view backend, std::string_view user);
        [[nodiscard]] Entries::iterator find_current(std::string_view backend, std::string_view user,
                                                     TimePoint now);
        void drop(Entries::iterator entry);
    };

    VerifyCache(Settings settings, KeyedDigest digest);

    [[nodiscard]] bool is_off() const noexcept { return shards_.empty(); }
    [[nodiscard]] Shard& shard_of(std::string_view user);
    [[nodiscard]] std::size_t generation_index(std::string_view backend, std::string_view user) const;
    [[nodiscard]] std::optional<Digest> whole_digest(const Entry& entry, ByteView password,
                                                     ByteView version) const;
    [[nodiscard]] std::optional<Digest> password_digest(const Entry& entry, ByteView password) const;
    [[nodiscard]] std::optional<Digest> version_digest(const Entry& entry, ByteView version) const;
    [[nodiscard]] bool is_password_of(const Entry& entry, ByteView password) const;
    [[nodiscard]] bool is_of_version(const Entry& entry, ByteView version) const;

    const KeyedDigest digest_;
    const Duration time_to_live_;
    std::vector<Shard> shards_;  // by user; none when the cache is off
    std::size_t shard_size_ = 0;
    // Of users by their hash: who shares one with a user that is forgotten just now misses a login's memory.
    // With a seed, so that nobody can look for names which share one with somebody's.
    std::uint64_t generation_seed_ = 0;
    std::array<std::atomic<std::uint64_t>, kGenerations> generations_{};
};

}  // namespace gatepost::auth

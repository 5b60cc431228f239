#include "auth/check/verify_cache.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include <openssl/rand.h>

#include "proxy/base/secret.h"

namespace gatepost::auth {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kMostShards = 16;
constexpr std::size_t kLeastOfShard = 256;  // a shard forgets by its own order: small ones would be unfair

// Behind which of the uses a digest stands.
constexpr ByteView kOfWhole = "whole";
constexpr ByteView kOfPassword = "password";
constexpr ByteView kOfVersion = "version";
constexpr ByteView kOfFlight = "flight";

}  // namespace

Result<std::unique_ptr<VerifyCache>> VerifyCache::make(Settings settings) {
    Result<UndumpedSecret> key = UndumpedSecret::make_random(kKeySize);
    if (!key) return std::unexpected(key.error());
    Result<KeyedDigest> digest = KeyedDigest::make(std::move(*key));
    if (!digest) return std::unexpected(digest.error());
    std::unique_ptr<VerifyCache> made(new VerifyCache(settings, std::move(*digest)));
    auto* const seed = reinterpret_cast<unsigned char*>(&made->generation_seed_);
    if (RAND_bytes(seed, sizeof made->generation_seed_) != 1) return fail("libcrypto has no random numbers");
    made->generation_seed_ |= 1;  // odd: nothing is lost by multiplying
    return made;
}

VerifyCache::VerifyCache(Settings settings, KeyedDigest digest)
    : digest_(std::move(digest)), time_to_live_(std::min(settings.time_to_live, kLongestTimeToLive)) {
    if (time_to_live_ <= Duration::zero() || settings.entries == 0) return;
    const std::size_t shards = std::clamp<std::size_t>(settings.entries / kLeastOfShard, 1, kMostShards);
    shards_ = std::vector<Shard>(shards);
    shard_size_ = settings.entries / shards;
}

bool VerifyCache::holds(std::string_view backend, std::string_view user, ByteView password, ByteView version,
                        TimePoint now) {
    if (is_off()) return false;
    Shard& shard = shard_of(user);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find_current(backend, user, now);
    bool is_held = false;
    if (entry != shard.entries.end()) {
        const std::optional<Digest> whole = whole_digest(*entry, password, version);
        is_held = whole && equal_in_constant_time(view_of(entry->whole), view_of(*whole));
        if (is_held) {
            shard.entries.splice(shard.entries.begin(), shard.entries, entry);
        } else if (!is_of_version(*entry, version)) {
            shard.drop(entry);
        }
    }
    ++(is_held ? shard.hits : shard.misses);
    return is_held;
}

VerifyCache::Memory VerifyCache::recall(std::string_view backend, std::string_view user, ByteView password,
                                        TimePoint now, RecordAttributes* attributes) {
    if (is_off()) return Memory::kNone;
    Shard& shard = shard_of(user);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find_current(backend, user, now);
    const bool is_there = entry != shard.entries.end();
    const bool is_held = is_there && is_password_of(*entry, password);
    ++(is_held ? shard.hits : shard.misses);
    if (is_held && attributes != nullptr)
        *attributes = entry->attributes ? *entry->attributes : RecordAttributes{};
    return is_held ? Memory::kThisPassword : is_there ? Memory::kAnotherPassword : Memory::kNone;
}

void VerifyCache::remember(std::string_view backend, std::string_view user, ByteView password,
                           ByteView version, const RecordAttributes& attributes, std::uint64_t generation,
                           TimePoint now) {
    if (is_off()) return;
    Entry fresh{
        .user = std::string(user), .backend = std::string(backend), .expires_at = now + time_to_live_};
    if (RAND_bytes(fresh.salt.data(), static_cast<int>(fresh.salt.size())) != 1) return;
    const std::optional<Digest> of_whole = whole_digest(fresh, password, version);
    const std::optional<Digest> of_password = password_digest(fresh, password);
    const std::optional<Digest> of_version = version_digest(fresh, version);
    if (!of_whole || !of_password || !of_version) return;
    fresh.whole = *of_whole;
    fresh.password = *of_password;
    fresh.version = *of_version;
    if (!attributes.is_empty()) fresh.attributes = std::make_unique<const RecordAttributes>(attributes);

    Entries made;  // allocated before the lock is taken
    made.push_back(std::move(fresh));
    Shard& shard = shard_of(user);
    const std::lock_guard lock(shard.mutex);
    if (generation != generation_of(backend, user)) return;
    if (const auto old = shard.find(backend, user); old != shard.entries.end()) shard.drop(old);
    while (!shard.entries.empty() &&
           (shard.entries.size() >= shard_size_ || now >= shard.entries.back().expires_at)) {
        shard.drop(std::prev(shard.entries.end()));
    }
    shard.entries.splice(shard.entries.begin(), made);
    shard.by_user.emplace(shard.entries.front().user, shard.entries.begin());
    ++shard.by_backend[shard.entries.front().backend];
}

void VerifyCache::forget(std::string_view backend, std::string_view user, ByteView password) {
    if (is_off()) return;
    Shard& shard = shard_of(user);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find(backend, user);
    if (entry != shard.entries.end() && is_password_of(*entry, password)) shard.drop(entry);
}

void VerifyCache::forget_user(std::string_view backend, std::string_view user) {
    if (is_off()) return;
    // Before the shard is locked: whoever remembers afterwards sees it, and what was remembered before is
    // dropped.
    ++generations_[generation_index(backend, user)];
    Shard& shard = shard_of(user);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find(backend, user);
    if (entry != shard.entries.end()) shard.drop(entry);
}

VerifyCache::Counts VerifyCache::counts() const {
    Counts counts;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        counts.hits += shard.hits;
        counts.misses += shard.misses;
        counts.entries += shard.entries.size();
    }
    return counts;
}

std::size_t VerifyCache::entries_of(std::string_view backend) const {
    std::size_t entries = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        if (const auto count = shard.by_backend.find(backend); count != shard.by_backend.end())
            entries += count->second;
    }
    return entries;
}

std::optional<Digest> VerifyCache::digest(std::string_view backend, std::string_view user, ByteView password,
                                          ByteView version) const {
    return digest_.of({kOfFlight, backend, user, password, version});
}

VerifyCache::Shard& VerifyCache::shard_of(std::string_view user) {
    return shards_[std::hash<std::string_view>()(user) % shards_.size()];
}

std::size_t VerifyCache::generation_index(std::string_view backend, std::string_view user) const {
    const std::hash<std::string_view> hash;
    const std::uint64_t mixed = (hash(user) + 31 * hash(backend)) * generation_seed_;
    return static_cast<std::size_t>(mixed >> 32) % kGenerations;
}

std::uint64_t VerifyCache::generation_of(std::string_view backend, std::string_view user) const {
    return generations_[generation_index(backend, user)];
}

std::optional<Digest> VerifyCache::whole_digest(const Entry& entry, ByteView password,
                                                ByteView version) const {
    return digest_.of({kOfWhole, view_of(entry.salt), entry.backend, entry.user, password, version});
}

std::optional<Digest> VerifyCache::password_digest(const Entry& entry, ByteView password) const {
    return digest_.of({kOfPassword, view_of(entry.salt), entry.backend, entry.user, password});
}

std::optional<Digest> VerifyCache::version_digest(const Entry& entry, ByteView version) const {
    return digest_.of({kOfVersion, view_of(entry.salt), entry.backend, entry.user, version});
}

bool VerifyCache::is_password_of(const Entry& entry, ByteView password) const {
    const std::optional<Digest> given = password_digest(entry, password);
    return given && equal_in_constant_time(view_of(entry.password), view_of(*given));
}

bool VerifyCache::is_of_version(const Entry& entry, ByteView version) const {
    const std::optional<Digest> given = version_digest(entry, version);
    return given && equal_in_constant_time(view_of(entry.version), view_of(*given));
}

/// end() when there is none; one past its time is dropped.
VerifyCache::Entries::iterator VerifyCache::Shard::find_current(std::string_view backend,
                                                                std::string_view user, TimePoint now) {
    const auto entry = find(backend, user);
    if (entry == entries.end() || now < entry->expires_at) return entry;
    drop(entry);
    return entries.end();
}

VerifyCache::Entries::iterator VerifyCache::Shard::find(std::string_view backend, std::string_view user) {
    const auto [from, to] = by_user.equal_range(user);
    for (auto found = from; found != to; ++found) {
        if (found->second->backend == backend) return found->second;
    }
    return entries.end();
}

void VerifyCache::Shard::drop(Entries::iterator entry) {
    const auto [from, to] = by_user.equal_range(entry->user);
    for (auto found = from; found != to; ++found) {
        if (found->second != entry) continue;
        by_user.erase(found);  // first: its key is a view of the entry
        break;
    }
    if (const auto count = by_backend.find(entry->backend); count != by_backend.end()) --count->second;
    entries.erase(entry);
}

}  // namespace gatepost::auth

#include "proxy/policy/limit_table.h"

#include <algorithm>
#include <utility>

namespace gatepost::policy {
namespace {

/// New keys sweep out this many worn-off ones each, so the table empties again after a flood without a timer.
constexpr int kSweepOfNewKey = 2;

constexpr std::size_t kFirstBuckets = 16;
constexpr std::uint32_t kKeptOfHash = ~std::uint32_t{0} >> 1;

}  // namespace

LimitTable::LimitTable(std::size_t most_keys)
    : most_keys_(std::clamp<std::size_t>(most_keys, 1, kKeptOfHash)), buckets_(kFirstBuckets, kNone) {}

void LimitTable::expect_bucket(std::uint32_t hash) const noexcept {
    __builtin_prefetch(&buckets_[bucket_of(hash & kKeptOfHash)]);
}

void LimitTable::expect_entry(std::uint32_t hash) const noexcept {
    const Slot slot = buckets_[bucket_of(hash & kKeptOfHash)];
    if (slot == kNone) return;
    __builtin_prefetch(&at(slot));
}

void LimitTable::expect_key(std::uint32_t hash) const noexcept {
    const Slot slot = buckets_[bucket_of(hash & kKeptOfHash)];
    if (slot == kNone) return;
    const Entry& entry = at(slot);
    __builtin_prefetch(entry.octets.get());
    if (entry.newer != kNone) __builtin_prefetch(&at(entry.newer));
    if (entry.older != kNone) __builtin_prefetch(&at(entry.older));
}

LimitTable::Slot LimitTable::find(std::string_view key, std::uint32_t hash) const noexcept {
    hash &= kKeptOfHash;
    Slot slot = buckets_[bucket_of(hash)];
    while (slot != kNone) {
        const Entry& entry = at(slot);
        if (entry.hash == hash && entry.text() == key) break;
        slot = entry.next;
    }
    return slot;
}

void LimitTable::touch(Slot slot) noexcept {
    if (slot == newest_) return;
    unlink(slot);
    link_newest(slot);
}

LimitTable::Slot LimitTable::add(std::string_view key, std::uint32_t hash, std::int64_t now) {
    make_room(now);
    if (size_ == buckets_.size()) grow();
    const Slot slot = take_free();
    Entry& entry = at(slot);
    entry.octets = std::make_unique_for_overwrite<char[]>(key.size());
    entry.size = static_cast<std::uint32_t>(key.copy(entry.octets.get(), key.size()));
    entry.counts = {};
    entry.hash = hash & kKeptOfHash;
    entry.is_used = true;
    entry.next = std::exchange(buckets_[bucket_of(entry.hash)], slot);
    link_newest(slot);
    ++size_;
    return slot;
}

void LimitTable::remove(Slot slot) noexcept {
    Entry& entry = at(slot);
    Slot* link = &buckets_[bucket_of(entry.hash)];
    while (*link != slot) link = &at(*link).next;
    *link = entry.next;
    unlink(slot);
    entry.octets.reset();
    entry.size = 0;
    entry.is_used = false;
    entry.next = std::exchange(free_, slot);
    --size_;
}

LimitTable::Slot LimitTable::take_free() {
    if (free_ != kNone) return std::exchange(free_, at(free_).next);
    if (slots_ % kChunk == 0) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
    return slots_++;
}

void LimitTable::make_room(std::int64_t now) {
    if (size_ >= most_keys_) forget_oldest();
    for (int swept = 0; swept < kSweepOfNewKey && size_ > 0; ++swept) {
        const Counts& counts = at(oldest_).counts;
        if (is_worn_off(counts, now)) {
            remove(oldest_);
        } else if (counts.there_now > 0) {
            touch(oldest_);  // or the sweep would wait behind whoever stays for days
        } else {
            break;
        }
    }
}

void LimitTable::forget_oldest() noexcept {
    for (int probe = 0; probe < kProbes && at(oldest_).counts.there_now > 0; ++probe) touch(oldest_);
    remove(oldest_);
}

void LimitTable::grow() {
    buckets_.assign(buckets_.size() * 2, kNone);
    for (Slot slot = 0; slot < slots_; ++slot) {
        Entry& entry = at(slot);
        if (entry.is_used) entry.next = std::exchange(buckets_[bucket_of(entry.hash)], slot);
    }
}

void LimitTable::link_newest(Slot slot) noexcept {
    Entry& entry = at(slot);
    entry.newer = kNone;
    entry.older = newest_;
    if (newest_ != kNone) at(newest_).newer = slot;
    newest_ = slot;
    if (oldest_ == kNone) oldest_ = slot;
}

void LimitTable::unlink(Slot slot) noexcept {
    const Entry& entry = at(slot);
    (entry.newer == kNone ? newest_ : at(entry.newer).older) = entry.older;
    (entry.older == kNone ? oldest_ : at(entry.older).newer) = entry.newer;
}

}  // namespace gatepost::policy

// Keys and what is counted of them: found by hash, bounded, and the one longest not asked for is forgotten
// first. Never locks: who owns it does. A slab with numbers instead of nodes with pointers, because a
// question among a million keys costs what it misses in the caches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/policy/gcra.h"

namespace gatepost::policy {

class LimitTable {
  public:
    using Slot = std::uint32_t;
    static constexpr Slot kNone = ~Slot{0};

    struct Counts {
        GcraState state;
        std::uint64_t there_now = 0;  ///< of kEnter
    };

    /// Entries stand still from here on, whatever is added.
    explicit LimitTable(std::size_t most_keys);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Slots ever used; those in between that are free now are not is_used().
    [[nodiscard]] Slot slots() const noexcept { return slots_; }
    [[nodiscard]] bool is_used(Slot slot) const noexcept { return at(slot).is_used; }
    [[nodiscard]] std::string_view key(Slot slot) const noexcept { return at(slot).text(); }
    [[nodiscard]] Counts& counts(Slot slot) noexcept { return at(slot).counts; }
    [[nodiscard]] const Counts& counts(Slot slot) const noexcept { return at(slot).counts; }

    /// Of keys that are looked for together: what find() and touch() will read of this hash, one after the
    /// other, so that they wait for memory side by side. Reads what the one before has brought.
    void expect_bucket(std::uint32_t hash) const noexcept;
    void expect_entry(std::uint32_t hash) const noexcept;
    void expect_key(std::uint32_t hash) const noexcept;

    /// kNone when it is not there.
    [[nodiscard]] Slot find(std::string_view key, std::uint32_t hash) const noexcept;
    /// It has been asked for: now it is the last to be forgotten.
    void touch(Slot slot) noexcept;
    /// The key, which must not be there yet, with nothing counted. Makes room first: sweeps out what has worn
    /// off, and when it is full forgets the oldest; keys of which somebody is there now only when none of the
    /// kProbes oldest is another. Any other slot may be gone after this.
    Slot add(std::string_view key, std::uint32_t hash, std::int64_t now);
    void remove(Slot slot) noexcept;

    [[nodiscard]] static bool is_worn_off(const Counts& counts, std::int64_t now) noexcept {
        return counts.there_now == 0 && gcra_is_empty(counts.state, now);
    }

    static constexpr int kProbes = 8;

  private:
    /// One line of the cache.
    struct alignas(64) Entry {
        [[nodiscard]] std::string_view text() const noexcept { return {octets.get(), size}; }

        std::unique_ptr<char[]> octets;
        Counts counts;
        std::uint32_t size = 0;
        std::uint32_t hash : 31 = 0;
        std::uint32_t is_used : 1 = false;
        Slot next = kNone;  ///< in the same bucket, or among the free
        Slot newer = kNone;
        Slot older = kNone;
    };
    static constexpr Slot kChunk = 256;

    [[nodiscard]] Entry& at(Slot slot) noexcept { return chunks_[slot / kChunk][slot % kChunk]; }
    [[nodiscard]] const Entry& at(Slot slot) const noexcept { return chunks_[slot / kChunk][slot % kChunk]; }
    [[nodiscard]] std::size_t bucket_of(std::uint32_t hash) const noexcept {
        return hash & (buckets_.size() - 1);
    }

    static_assert(sizeof(Entry) == 64);

    [[nodiscard]] Slot take_free();
    void make_room(std::int64_t now);
    void forget_oldest() noexcept;
    void grow();
    void link_newest(Slot slot) noexcept;
    void unlink(Slot slot) noexcept;

    std::size_t most_keys_;
    std::size_t size_ = 0;
    Slot slots_ = 0;
    Slot free_ = kNone;
    Slot newest_ = kNone;
    Slot oldest_ = kNone;
    std::vector<Slot> buckets_;  ///< a power of two, at least as many as keys
    std::vector<std::unique_ptr<Entry[]>> chunks_;
};

}  // namespace gatepost::policy

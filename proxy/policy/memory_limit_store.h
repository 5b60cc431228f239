// Counts of this process alone, for all its workers: striped by key with short locks, bounded, and the keys
// longest not asked for are forgotten first. Never waits for anything but a stripe. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/policy/limit_store.h"
#include "proxy/policy/limit_table.h"

namespace gatepost::policy {

class MemoryLimitStore final : public LimitStore, public LimitInventory {
  public:
    static constexpr std::size_t kDefaultKeys = 1'000'000;
    static constexpr std::size_t kStripes = 64;

    /// Remembers up to `most_keys`, rounded up to a multiple of kStripes.
    explicit MemoryLimitStore(std::size_t most_keys = kDefaultKeys);

    void ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
             std::move_only_function<void(LimitAnswers)> answer) override;

    /// Looks at a few entries at a time, so that nobody waits for all: a key that is forgotten and counted
    /// again meanwhile may be there twice.
    void list(std::string prefix, std::size_t most, TimePoint now, Executor& home,
              std::move_only_function<void(Entries)> answer) override;
    void forget(LimitKey key, Executor& home, std::move_only_function<void(Result<bool>)> answer) override;

    /// Keys remembered, those that have worn off but were not yet swept included.
    [[nodiscard]] std::size_t size() const;

  private:
    /// On a cache line of its own, so that two workers on two stripes do not share one.
    struct alignas(64) Stripe {
        explicit Stripe(std::size_t most_keys) : table(most_keys) {}
        /// From slot `from` on, which goes forward; whether there are more.
        [[nodiscard]] bool list_some(LimitTable::Slot& from, std::string_view prefix, std::size_t most,
                                     std::int64_t now, std::vector<LimitEntry>& found) const;

        mutable std::mutex lock;
        LimitTable table;
    };
    class Locks;
    /// Where the key of a question is.
    struct Place {
        std::uint32_t stripe;
        std::uint32_t hash;
        LimitTable::Slot slot;
    };

    [[nodiscard]] static Place place_of(std::string_view key);
    [[nodiscard]] LimitTable& table_of(const Place& place) { return stripes_[place.stripe]->table; }
    [[nodiscard]] LimitAnswers answer_all(std::span<const LimitQuestion> batch, std::span<Place> places,
                                          std::int64_t now);
    void find_all(std::span<const LimitQuestion> batch, std::span<Place> places);
    [[nodiscard]] bool fit_all(std::span<const LimitQuestion> batch, std::span<const Place> places,
                               std::int64_t now);
    [[nodiscard]] LimitAnswer count_new(const LimitQuestion& question, bool is_reserving, const Place& place,
                                        std::int64_t now);

    /// On the heap, where their alignment is kept wherever the store itself stands.
    std::vector<std::unique_ptr<Stripe>> stripes_;
};

}  // namespace gatepost::policy

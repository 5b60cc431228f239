// Counts of this process alone, for all its workers: striped by key with short locks, bounded, and the keys
// longest not asked for are forgotten first. Never waits for anything but a stripe. Any thread.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/policy/limit_store.h"

namespace gatepost::policy {

class MemoryLimitStore final : public LimitStore {
  public:
    static constexpr std::size_t kDefaultKeys = 1'000'000;
    static constexpr std::size_t kStripes = 64;

    /// Remembers up to `most_keys`, rounded up to a multiple of kStripes.
    explicit MemoryLimitStore(std::size_t most_keys = kDefaultKeys);

    void ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
             std::move_only_function<void(LimitAnswers)> answer) override;

    /// Keys remembered, those that have worn off but were not yet swept included.
    [[nodiscard]] std::size_t size() const;

  private:
    struct Entry {
        std::string key;
        GcraState state;
    };
    using Entries = std::list<Entry>;

    /// On a cache line of its own, so that two workers on two stripes do not share one.
    struct alignas(64) Stripe {
        mutable std::mutex lock;
        Entries recent;  ///< the key asked for last comes first
        /// Views into the keys of `recent`, whose nodes never move.
        std::unordered_map<std::string_view, Entries::iterator> by_key;
    };

    [[nodiscard]] LimitAnswer answer_one(LimitQuestion& question, std::int64_t now);
    [[nodiscard]] GcraState& state_for(Stripe& stripe, std::string& key, std::int64_t now) const;
    static void forget_oldest(Stripe& stripe);

    std::size_t most_keys_of_stripe_;
    /// On the heap, where their alignment is kept wherever the store itself stands.
    std::vector<Stripe> stripes_ = std::vector<Stripe>(kStripes);
};

}  // namespace gatepost::policy

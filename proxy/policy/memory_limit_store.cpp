#include "proxy/policy/memory_limit_store.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace gatepost::policy {
namespace {

/// Batches of up to so many questions need no memory but that of their answers.
constexpr std::size_t kFew = 16;
/// Entries that are listed under one lock.
constexpr LimitTable::Slot kListedAtOnce = 256;
/// Nobody knows when one of those who are there leaves.
constexpr Duration kAskAgainForPlace = std::chrono::seconds{1};

std::int64_t nanoseconds_of(TimePoint now) {
    return std::chrono::nanoseconds(now.time_since_epoch()).count();
}

LimitAnswer as_answer(const GcraAnswer& answer) {
    if (answer.allowed) return Allow{answer.used};
    return Refused{answer.retry_after, answer.used};
}

bool is_reserved(Counting counting) {
    return counting == Counting::kCharge || counting == Counting::kEnter;
}

LimitAnswer enter(const LimitQuestion& question, std::uint64_t there_now) {
    const std::uint64_t most = question.rate.burst;
    if (question.events > most) return Refused{Duration::max(), there_now};
    if (there_now > most - question.events) return Refused{kAskAgainForPlace, there_now};
    return Allow{there_now};
}

bool fits(const LimitQuestion& question, LimitTable::Counts& counts, std::int64_t now) {
    if (question.counting == Counting::kEnter) {
        return std::holds_alternative<Allow>(enter(question, counts.there_now));
    }
    return gcra_fits(counts.state, question.rate, question.events, now);
}

/// What a charge or an entry would be answered; counts nothing. Where a clock has jumped back the state is
/// cut off all the same: who is refused is only ever looked at, and must not wait for the old time.
LimitAnswer look(const LimitQuestion& question, LimitTable::Counts& counts, std::int64_t now) {
    if (question.counting == Counting::kEnter) return enter(question, counts.there_now);
    return as_answer(gcra_peek(counts.state, question.rate, question.events, now));
}

LimitAnswer count(const LimitQuestion& question, bool is_reserving, LimitTable::Counts& counts,
                  std::int64_t now) {
    if (is_reserved(question.counting) && !is_reserving) return look(question, counts, now);
    const Rate& rate = question.rate;
    switch (question.counting) {
        case Counting::kPeek: return look(question, counts, now);
        case Counting::kCharge: return as_answer(gcra_charge(counts.state, rate, question.events, now));
        case Counting::kRecord: return as_answer(gcra_record(counts.state, rate, question.events, now));
        case Counting::kReturn: {
            const Duration held = std::chrono::nanoseconds(now - nanoseconds_of(question.counted_at));
            return as_answer(gcra_return(counts.state, rate, question.events, held, now));
        }
        case Counting::kEnter: {
            const LimitAnswer answer = enter(question, counts.there_now);
            if (!std::holds_alternative<Allow>(answer)) return answer;
            counts.there_now += question.events;
            return Allow{counts.there_now};
        }
        case Counting::kLeave:
            counts.there_now -= std::min(counts.there_now, question.events);
            return Allow{counts.there_now};
    }
    return Unavailable{};
}

}  // namespace

/// All the stripes of one batch, each once and in their order, so that two batches never wait for each other.
class MemoryLimitStore::Locks {
  public:
    [[nodiscard]] Locks(MemoryLimitStore& store, std::uint64_t stripes) : store_(store), stripes_(stripes) {
        for (std::uint64_t left = stripes_; left != 0; left &= left - 1) first_of(left).lock.lock();
    }
    ~Locks() {
        for (std::uint64_t left = stripes_; left != 0; left &= left - 1) first_of(left).lock.unlock();
    }
    Locks(const Locks&) = delete;
    Locks& operator=(const Locks&) = delete;

  private:
    Stripe& first_of(std::uint64_t stripes) {
        return *store_.stripes_[static_cast<std::size_t>(std::countr_zero(stripes))];
    }

    MemoryLimitStore& store_;
    std::uint64_t stripes_;  ///< a bit each
    static_assert(kStripes <= 64);
};

MemoryLimitStore::MemoryLimitStore(std::size_t most_keys) {
    stripes_.reserve(kStripes);
    for (std::size_t stripe = 0; stripe < kStripes; ++stripe) {
        stripes_.push_back(std::make_unique<Stripe>((most_keys + kStripes - 1) / kStripes));
    }
}

void MemoryLimitStore::ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
                           std::move_only_function<void(LimitAnswers)> answer) {
    std::array<Place, kFew> few;
    std::vector<Place> many(batch.size() > kFew ? batch.size() : 0);
    const std::span<Place> places = many.empty() ? std::span(few).first(batch.size()) : std::span(many);
    LimitAnswers answers = answer_all(batch, places, nanoseconds_of(now));
    home.post(
        [answers = std::move(answers), answer = std::move(answer)]() mutable { answer(std::move(answers)); });
}

/// The table takes the low bits of the hash; the stripe must not depend on the same.
MemoryLimitStore::Place MemoryLimitStore::place_of(std::string_view key) {
    const std::uint64_t hash = std::hash<std::string_view>{}(key);
    return {.stripe = static_cast<std::uint32_t>((hash >> 32) % kStripes),
            .hash = static_cast<std::uint32_t>(hash),
            .slot = LimitTable::kNone};
}

/// First what is there, then what is new: adding may forget other keys, and so invalidates places.
LimitAnswers MemoryLimitStore::answer_all(std::span<const LimitQuestion> batch, std::span<Place> places,
                                          std::int64_t now) {
    LimitAnswers answers(batch.size());
    std::uint64_t stripes = 0;
    for (std::size_t at = 0; at < batch.size(); ++at) {
        places[at] = place_of(batch[at].key.text);
        stripes |= std::uint64_t{1} << places[at].stripe;
    }
    const Locks hold(*this, stripes);
    find_all(batch, places);
    const bool is_reserving = fit_all(batch, places, now);
    for (std::size_t at = 0; at < batch.size(); ++at) {
        const Place& place = places[at];
        if (place.slot == LimitTable::kNone) continue;
        // Who is refused is only ever peeked at: that must keep the key as fresh as counting does.
        table_of(place).touch(place.slot);
        answers[at] = count(batch[at], is_reserving, table_of(place).counts(place.slot), now);
    }
    for (std::size_t at = 0; at < batch.size(); ++at) {
        if (places[at].slot != LimitTable::kNone) continue;
        answers[at] = count_new(batch[at], is_reserving, places[at], now);
    }
    return answers;
}

/// Step by step for all: what the next step reads is on its way from memory for all of them at once.
void MemoryLimitStore::find_all(std::span<const LimitQuestion> batch, std::span<Place> places) {
    for (const Place& place : places) table_of(place).expect_bucket(place.hash);
    for (const Place& place : places) table_of(place).expect_entry(place.hash);
    for (const Place& place : places) table_of(place).expect_key(place.hash);
    for (std::size_t at = 0; at < batch.size(); ++at) {
        places[at].slot = table_of(places[at]).find(batch[at].key.text, places[at].hash);
    }
}

/// Nothing that binds stands against counting what is counted all or none.
bool MemoryLimitStore::fit_all(std::span<const LimitQuestion> batch, std::span<const Place> places,
                               std::int64_t now) {
    for (std::size_t at = 0; at < batch.size(); ++at) {
        if (!is_reserved(batch[at].counting) || !batch[at].is_binding) continue;
        LimitTable::Counts unknown;
        const Place& place = places[at];
        const bool is_there = place.slot != LimitTable::kNone;
        if (!fits(batch[at], is_there ? table_of(place).counts(place.slot) : unknown, now)) return false;
    }
    return true;
}

/// Remembers the key only if something was counted of it.
LimitAnswer MemoryLimitStore::count_new(const LimitQuestion& question, bool is_reserving, const Place& place,
                                        std::int64_t now) {
    LimitTable& table = table_of(place);
    const LimitTable::Slot twin = table.find(question.key.text, place.hash);  // a batch that names it twice
    if (twin != LimitTable::kNone) return count(question, is_reserving, table.counts(twin), now);
    LimitTable::Counts counts;
    const LimitAnswer answer = count(question, is_reserving, counts, now);
    if (LimitTable::is_worn_off(counts, now)) return answer;
    table.counts(table.add(question.key.text, place.hash, now)) = counts;
    return answer;
}

void MemoryLimitStore::list(std::string prefix, std::size_t most, TimePoint now, Executor& home,
                            std::move_only_function<void(Entries)> answer) {
    const std::int64_t at = nanoseconds_of(now);
    std::vector<LimitEntry> found;
    for (const auto& stripe : stripes_) {
        LimitTable::Slot from = 0;
        while (found.size() < most && stripe->list_some(from, prefix, most, at, found)) {
        }
    }
    home.post([found = std::move(found), answer = std::move(answer)]() mutable { answer(std::move(found)); });
}

bool MemoryLimitStore::Stripe::list_some(LimitTable::Slot& from, std::string_view prefix, std::size_t most,
                                         std::int64_t now, std::vector<LimitEntry>& found) const {
    const std::lock_guard hold(lock);
    const LimitTable::Slot end = std::min(from + kListedAtOnce, table.slots());
    for (; from < end && found.size() < most; ++from) {
        if (!table.is_used(from) || !table.key(from).starts_with(prefix)) continue;
        const LimitTable::Counts& counts = table.counts(from);
        if (LimitTable::is_worn_off(counts, now)) continue;
        found.push_back({.key = std::string(table.key(from)),
                         .empty_after = gcra_empty_after(counts.state, now),
                         .there_now = counts.there_now});
    }
    return from < table.slots();
}

void MemoryLimitStore::forget(LimitKey key, Executor& home,
                              std::move_only_function<void(Result<bool>)> answer) {
    const Place place = place_of(key.text);
    bool was_there = false;
    {
        const std::lock_guard hold(stripes_[place.stripe]->lock);
        LimitTable& table = table_of(place);
        const LimitTable::Slot slot = table.find(key.text, place.hash);
        was_there = slot != LimitTable::kNone;
        if (was_there) table.remove(slot);
    }
    home.post([was_there, answer = std::move(answer)]() mutable { answer(was_there); });
}

std::size_t MemoryLimitStore::size() const {
    std::size_t keys = 0;
    for (const auto& stripe : stripes_) {
        const std::lock_guard hold(stripe->lock);
        keys += stripe->table.size();
    }
    return keys;
}

}  // namespace gatepost::policy

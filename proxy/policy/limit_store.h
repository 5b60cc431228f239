// The seam to where counts live: in this process, or shared by all replicas. A store counts by key; it never
// knows what a key means nor what follows from an answer. Any thread may ask.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"
#include "proxy/base/result.h"
#include "proxy/policy/gcra.h"

namespace gatepost::policy {

/// Short, printable, and the same on every replica: whoever makes one sees to it that it holds no control.
struct LimitKey {
    std::string text;
    auto operator<=>(const LimitKey&) const = default;
};

enum class Counting {
    kPeek,    ///< would this be refused, and until when: counts nothing
    kCharge,  ///< counts if it fits, and with it everything else of its batch that binds; nothing is counted
              ///< of what is refused
    kRecord,  ///< it has happened: counts whether it fits or not (Rate::debt)
    kReturn,  ///< what was charged at `counted_at` did not happen after all: takes off as much of it as
              ///< cannot have worn off since, so that no schedule of charging and returning gets more than
              ///< the rate
    kEnter,   ///< one more that is there now, of Rate::burst at a time; as kCharge otherwise
    kLeave,   ///< one less
};

/// Who counts: what was counted by one must not be given back to the other.
enum class CountedBy : std::uint8_t {
    kStore,
    kStandIn,  ///< this process alone, while the store is away
    kNobody,   ///< it was let in uncounted, while the store is away
};

struct LimitQuestion {
    LimitKey key;
    Rate rate;
    Counting counting = Counting::kPeek;
    std::uint64_t events = 1;
    /// kCharge, kEnter: a refusal keeps the rest of the batch from being counted. Else it is only told.
    bool is_binding = true;
    TimePoint counted_at{};            ///< kReturn: when it was charged, by the asker's clock
    CountedBy by = CountedBy::kStore;  ///< kReturn, kLeave: Allow::by of what is given back
};

struct Allow {
    std::uint64_t used = 0;  ///< events of this key that have not worn off, what was counted now included
    CountedBy by = CountedBy::kStore;
    bool operator==(const Allow&) const = default;
};

struct Refused {
    Duration retry_after{};  ///< Duration::max(): never, it is more than the burst
    std::uint64_t used = 0;
    bool operator==(const Refused&) const = default;
};

/// The store could not say by its deadline, and nothing (or nobody knows what) was counted.
struct Unavailable {
    bool operator==(const Unavailable&) const = default;
};

using LimitAnswer = std::variant<Allow, Refused, Unavailable>;
using LimitAnswers = std::vector<LimitAnswer>;

class LimitStore {
  public:
    virtual ~LimitStore() = default;

    /// Asks all of `batch` at once. Of its kCharge and kEnter either all that fit are counted, or, when one
    /// that binds does not fit, none; each other question is answered (and counted) on its own. Nobody who
    /// asks at the same time sees half of a batch. No key is in a batch twice. `answer` is posted to `home`
    /// exactly once, never run inside this call, with one answer a question in the same order. `now` is the
    /// asker's time; a store with a clock of its own takes only the time since `counted_at` from it.
    virtual void ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
                     std::move_only_function<void(LimitAnswers)> answer) = 0;
};

/// One key as an operator is shown it.
struct LimitEntry {
    std::string key;
    Duration empty_after{};       ///< until all that was counted has worn off
    std::uint64_t there_now = 0;  ///< of kEnter
    bool operator==(const LimitEntry&) const = default;
};

/// A store as operators look into it. Any thread may ask.
class LimitInventory {
  public:
    virtual ~LimitInventory() = default;

    using Entries = Result<std::vector<LimitEntry>>;

    /// Up to `most` keys that begin with `prefix` and have not worn off at `now`, in no order. `answer` as in
    /// LimitStore::ask().
    virtual void list(std::string prefix, std::size_t most, TimePoint now, Executor& home,
                      std::move_only_function<void(Entries)> answer) = 0;

    /// As if nothing had been counted of `key` yet. The answer is false when nothing had.
    virtual void forget(LimitKey key, Executor& home, std::move_only_function<void(Result<bool>)> answer) = 0;
};

}  // namespace gatepost::policy

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
#include "proxy/policy/gcra.h"

namespace gatepost::policy {

/// Short, printable, and the same on every replica: whoever makes one sees to it that it holds no control.
struct LimitKey {
    std::string text;
    auto operator<=>(const LimitKey&) const = default;
};

enum class Counting {
    kPeek,    ///< would this be refused, and until when: counts nothing
    kCharge,  ///< counts if it fits; what is refused is not counted
    kRecord,  ///< it has happened: counts whether it fits or not (Rate::debt)
};

struct LimitQuestion {
    LimitKey key;
    Rate rate;
    Counting counting = Counting::kPeek;
    std::uint64_t events = 1;
};

struct Allow {
    std::uint64_t used = 0;  ///< events of this key that have not worn off, what was counted now included
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

    /// Asks all of `batch` at once; each question is answered (and counted) on its own. `answer` is posted to
    /// `home` exactly once, never run inside this call, with one answer a question in the same order. `now`
    /// is the asker's time; a store with a clock of its own does not need it.
    virtual void ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
                     std::move_only_function<void(LimitAnswers)> answer) = 0;
};

}  // namespace gatepost::policy

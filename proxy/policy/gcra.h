// How a rate is kept: the generic cell rate algorithm, exact in whole numbers. Knows no clock, key or store:
// the time is a number of nanoseconds that the caller brings. Any thread.
#pragma once

#include <cstdint>
#include <limits>

#include "proxy/base/clock.h"

namespace gatepost::policy {

/// `count` events each `per`, spread evenly, of which `burst` may come at once. Numbers above kMost are taken
/// as kMost, a count of 0 as 1.
struct Rate {
    static constexpr std::uint64_t kMost = std::uint64_t{1} << 56;

    std::uint64_t count = 1;
    Duration per{1};
    std::uint64_t burst = 1;
    /// How many events beyond the burst are still remembered when they are recorded after the fact.
    std::uint64_t debt = 0;

    bool operator==(const Rate&) const = default;
};

/// What is remembered of one key: when its bucket will be empty. The fraction makes `per / count` exact.
struct GcraState {
    std::int64_t empty_at = std::numeric_limits<std::int64_t>::min();  ///< nanoseconds
    std::uint64_t part = 0;                                            ///< and so many 1/count of one

    bool operator==(const GcraState&) const = default;
};

struct GcraAnswer {
    bool allowed = false;
    /// How long until `events` more fit, rounded up; zero when they do, Duration::max() when they never will
    /// (more than the burst).
    Duration retry_after{};
    std::uint64_t used = 0;  ///< events not yet worn off, rounded up, after what was counted now

    bool operator==(const GcraAnswer&) const = default;
};

// A state further ahead of `now` than burst + debt can only come of a clock that jumped backwards (or of a
// rate that was made smaller): each of these five cuts it off there, so that nobody waits for the old time.

/// Would `events` more be allowed at `now`? Counts nothing.
[[nodiscard]] GcraAnswer gcra_peek(GcraState& state, const Rate& rate, std::uint64_t events,
                                   std::int64_t now);

/// GcraAnswer::allowed of gcra_peek(), for those who need no more: it divides nothing.
[[nodiscard]] bool gcra_fits(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now);

/// Counts `events` if they fit, or refuses and counts nothing.
[[nodiscard]] GcraAnswer gcra_charge(GcraState& state, const Rate& rate, std::uint64_t events,
                                     std::int64_t now);

/// Counts `events` that have happened whether they fit or not, up to burst + debt. The answer says whether
/// they fitted.
GcraAnswer gcra_record(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now);

/// `events` that were counted `held` ago did not happen after all: takes off what of them cannot have worn
/// off since. Taking off everything would let a schedule of charges and returns get more than the rate.
/// Always allowed; a `held` below zero is taken as zero.
GcraAnswer gcra_return(GcraState& state, const Rate& rate, std::uint64_t events, Duration held,
                       std::int64_t now);

/// Nothing is left that would make an answer differ from that of a new key.
[[nodiscard]] constexpr bool gcra_is_empty(const GcraState& state, std::int64_t now) noexcept {
    return state.empty_at < now || (state.empty_at == now && state.part == 0);
}

/// How long until gcra_is_empty(), rounded up.
[[nodiscard]] Duration gcra_empty_after(const GcraState& state, std::int64_t now) noexcept;

}  // namespace gatepost::policy

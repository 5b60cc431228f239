// Everything is counted in grains: one nanosecond is `count` grains, so one event costs exactly `per` grains,
// and nothing is ever rounded but an answer. The bounds of Bucket keep all products within 127 bits.
#include "proxy/policy/gcra.h"

#include <algorithm>

namespace gatepost::policy {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

/// Of two that are not negative. Most levels fit into 64 bits, whose division takes a fraction of the time.
Wide quotient(Wide dividend, Wide divisor) {
    constexpr Wide kNarrow = std::numeric_limits<std::uint64_t>::max();
    if (dividend > kNarrow || divisor > kNarrow) return dividend / divisor;
    return static_cast<std::uint64_t>(dividend) / static_cast<std::uint64_t>(divisor);
}

/// A rate in grains.
struct Bucket {
    explicit Bucket(const Rate& rate)
        : nanosecond(std::clamp<std::uint64_t>(rate.count, 1, Rate::kMost)),
          event(std::clamp<std::int64_t>(std::chrono::nanoseconds(rate.per).count(), 1, kLatest / 2)),
          room(event * std::min(rate.burst, Rate::kMost)),
          deepest(room + event * std::min(rate.debt, Rate::kMost)) {}

    Wide nanosecond;
    Wide event;
    Wide room;     ///< what fits
    Wide deepest;  ///< what is remembered at most
};

void keep(GcraState& state, const Bucket& bucket, Wide level, std::int64_t now) {
    const Wide whole = quotient(level, bucket.nanosecond);
    state.empty_at = static_cast<std::int64_t>(std::min<Wide>(now + whole, kLatest));
    state.part = static_cast<std::uint64_t>(level - whole * bucket.nanosecond);
}

Wide level_of(GcraState& state, const Bucket& bucket, std::int64_t now) {
    const Wide left = (Wide{state.empty_at} - now) * bucket.nanosecond + state.part;
    if (left > bucket.deepest) keep(state, bucket, bucket.deepest, now);
    return std::clamp<Wide>(left, 0, bucket.deepest);
}

Wide cost_of(const Bucket& bucket, std::uint64_t events) {
    return bucket.event * std::min(events, Rate::kMost);
}

Duration wait_for(const Bucket& bucket, Wide level, Wide cost) {
    if (level + cost <= bucket.room) return Duration{0};
    if (cost > bucket.room) return Duration::max();
    const Wide wait = quotient(level + cost - bucket.room + bucket.nanosecond - 1, bucket.nanosecond);
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min<Wide>(wait, kLatest)));
}

GcraAnswer answer(const Bucket& bucket, Duration wait, Wide level) {
    return {.allowed = wait == Duration{0},
            .retry_after = wait,
            .used = static_cast<std::uint64_t>(quotient(level + bucket.event - 1, bucket.event))};
}

}  // namespace

bool gcra_fits(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now) {
    const Bucket bucket(rate);
    return level_of(state, bucket, now) + cost_of(bucket, events) <= bucket.room;
}

GcraAnswer gcra_peek(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now) {
    const Bucket bucket(rate);
    const Wide level = level_of(state, bucket, now);
    return answer(bucket, wait_for(bucket, level, cost_of(bucket, events)), level);
}

GcraAnswer gcra_charge(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now) {
    const Bucket bucket(rate);
    const Wide level = level_of(state, bucket, now);
    const Wide cost = cost_of(bucket, events);
    const Duration wait = wait_for(bucket, level, cost);
    if (wait != Duration{0}) return answer(bucket, wait, level);
    keep(state, bucket, level + cost, now);
    return answer(bucket, wait, level + cost);
}

GcraAnswer gcra_record(GcraState& state, const Rate& rate, std::uint64_t events, std::int64_t now) {
    const Bucket bucket(rate);
    const Wide before = level_of(state, bucket, now);
    const Wide cost = cost_of(bucket, events);
    const Wide level = std::min(before + cost, bucket.deepest);
    keep(state, bucket, level, now);
    return answer(bucket, wait_for(bucket, before, cost), level);
}

GcraAnswer gcra_return(GcraState& state, const Rate& rate, std::uint64_t events, Duration held,
                       std::int64_t now) {
    const Bucket bucket(rate);
    const Wide before = level_of(state, bucket, now);
    const std::int64_t since = std::max<std::int64_t>(std::chrono::nanoseconds(held).count(), 0);
    const Wide left = std::max<Wide>(cost_of(bucket, events) - since * bucket.nanosecond, 0);
    const Wide level = std::max<Wide>(before - left, 0);
    if (left > 0 && before > 0) keep(state, bucket, level, now);
    return answer(bucket, Duration{0}, level);
}

Duration gcra_empty_after(const GcraState& state, std::int64_t now) noexcept {
    if (gcra_is_empty(state, now)) return Duration{0};
    const Wide left = Wide{state.empty_at} - now + (state.part > 0 ? 1 : 0);
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min<Wide>(left, kLatest)));
}

}  // namespace gatepost::policy

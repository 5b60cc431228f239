#include "backends/redis/limit_share.h"

#include <algorithm>

namespace gatepost::backends {

using policy::Counting;

policy::LimitQuestion share_of(policy::LimitQuestion question, unsigned replicas) {
    if (replicas <= 1) return question;
    policy::Rate& rate = question.rate;
    const std::uint64_t whole = rate.burst;
    rate.per = rate.per > Duration::max() / replicas ? Duration::max() : rate.per * replicas;
    rate.burst = std::max<std::uint64_t>(whole / replicas, 1);
    rate.debt /= replicas;
    const bool is_reserved = question.counting == Counting::kCharge || question.counting == Counting::kReturn;
    if (!is_reserved) return question;
    // Something large goes by itself, and is remembered whole by those that are small after it.
    if (question.events <= whole) rate.burst = std::max(rate.burst, question.events);
    rate.debt = std::max(rate.debt, whole - std::min(whole, rate.burst));
    return question;
}

}  // namespace gatepost::backends

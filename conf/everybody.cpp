#include "conf/everybody.h"

#include <algorithm>
#include <optional>

#include "conf/units.h"

namespace gatepost::conf {
namespace {

bool holds(const Network& outer, const Network& inner) {
    return outer.prefix <= inner.prefix && outer.contains(inner.address);
}

Network half_of(const Network& whole, bool upper) {
    Network half = whole;
    const unsigned bit = half.prefix++;
    if (upper) half.address[bit / 8] = static_cast<std::uint8_t>(half.address[bit / 8] | 0x80U >> bit % 8);
    return half;
}

// How much of `whole` is held, from 0 to 1. As deep as a prefix is long, and only where some network lies.
// NOLINTNEXTLINE(misc-no-recursion)
double share_of(const std::vector<Network>& networks, const Network& whole) {
    if (std::ranges::any_of(networks, [&](const Network& network) { return holds(network, whole); }))
        return 1;
    if (std::ranges::none_of(networks, [&](const Network& network) { return holds(whole, network); }))
        return 0;
    return (share_of(networks, half_of(whole, false)) + share_of(networks, half_of(whole, true))) / 2;
}

}  // namespace

bool is_everybody(const std::vector<Network>& networks) {
    const auto has_half_of = [&networks](std::string_view text) {
        constexpr double kHalf = 0.5;
        const std::optional<Network> whole = parse_network(text);
        return whole && share_of(networks, *whole) >= kHalf;
    };
    // All of IPv6 that is given out is in 2000::/3.
    return has_half_of("0.0.0.0/0") || has_half_of("2000::/3");
}

}  // namespace gatepost::conf

#include "proxy/upstream/balancer.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace gatepost::upstream {

std::vector<std::size_t> Balancer::order(const Snapshot& snapshot) {
    const std::size_t count = snapshot.servers.size();
    std::vector<std::size_t> order(count);
    if (count == 0) return order;
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (balance_ != Balance::kFirstHealthy) {
        // Equals take turns too: else one of two idle servers would get everything.
        std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(turn_++ % count));
    }
    // Counts change under the eyes of a sort: each is read once.
    std::vector<std::uint64_t> busy(count, 0);
    if (balance_ == Balance::kLeastConnections) {
        for (std::size_t i = 0; i < count; ++i) busy[i] = snapshot.servers[i].totals->active.taken();
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t server) {
        return std::tuple(!snapshot.servers[server].is_healthy, busy[server]);
    });
    return order;
}

}  // namespace gatepost::upstream

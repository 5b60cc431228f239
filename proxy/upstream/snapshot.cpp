#include "proxy/upstream/snapshot.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

namespace gatepost::upstream {

smtp::Capabilities Snapshot::offer() const {
    const auto intersection = [&](bool Server::* counts) {
        std::optional<smtp::Capabilities> all;
        for (const Server& server : servers) {
            if (!(server.*counts)) continue;
            all = all ? all->intersect(server.capabilities) : server.capabilities;
        }
        return all;
    };
    if (const auto all = intersection(&Server::is_healthy)) return *all;
    return intersection(&Server::is_known).value_or(smtp::Capabilities());
}

bool Snapshot::has_healthy() const {
    return std::ranges::any_of(servers, [](const Server& server) { return server.is_healthy; });
}

std::vector<Candidate> candidates(const Snapshot& snapshot, const std::vector<std::size_t>& in_use) {
    std::vector<std::size_t> order(snapshot.servers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t server) {
        const std::size_t busy = server < in_use.size() ? in_use[server] : 0;
        return std::tuple(!snapshot.servers[server].is_healthy, busy, server);
    });
    std::vector<Candidate> all;
    for (const std::size_t server : order) {
        for (const net::SocketAddress& address : snapshot.servers[server].addresses)
            all.push_back({server, address, snapshot.servers[server].tls_name});
    }
    return all;
}

}  // namespace gatepost::upstream

#include "proxy/upstream/snapshot.h"

#include <algorithm>
#include <optional>

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

const Server* Snapshot::find(std::size_t endpoint, const net::SocketAddress& address) const {
    const auto found = std::ranges::find_if(servers, [&](const Server& server) {
        return server.endpoint == endpoint && server.address == address;
    });
    return found == servers.end() ? nullptr : &*found;
}

}  // namespace gatepost::upstream

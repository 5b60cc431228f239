// One open connection to an upstream as it changes hands between the pool and the sessions. Owns the
// transport and the slots that count it; whoever owns the lease owns the connection. On the thread of its
// loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proxy/base/clock.h"
#include "proxy/net/transport.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/upstream/pool_settings.h"
#include "proxy/upstream/server_totals.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

struct Lease {
    std::unique_ptr<net::Transport> transport;
    smtp::Capabilities capabilities;
    std::size_t endpoint = 0;
    std::string name;  ///< of the endpoint
    net::SocketAddress address;
    TotalSlot open;    ///< a place among max_connections
    TotalSlot active;  ///< held by a session
    TimePoint born;
    std::uint64_t transactions = 0;  ///< that have ended on it
    std::optional<Client> told;      ///< the client that the upstream knows it to serve

    [[nodiscard]] bool was_used() const noexcept { return transactions > 0; }
    [[nodiscard]] bool is_to(const Server& server) const {
        return endpoint == server.endpoint && address == server.address;
    }
};

}  // namespace gatepost::upstream

// What is known of an upstream's servers at one instant: an immutable value that the prober publishes and the
// workers read. Pure, but for the type of addresses. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proxy/net/socket_address.h"
#include "proxy/smtp/capabilities.h"

namespace gatepost::upstream {

struct Server {
    std::string name;                           ///< as configured: "mta.internal:25"
    std::string tls_name;                       ///< whom its certificate must be for; "" of a unix socket
    std::vector<net::SocketAddress> addresses;  ///< as last resolved; may be empty
    bool is_healthy = false;
    bool is_known = false;            ///< was probed well at least once
    smtp::Capabilities capabilities;  ///< of its last good probe
};

struct Snapshot {
    std::vector<Server> servers;

    /// What a message can use wherever it goes: the intersection over the healthy servers. While none is
    /// healthy, over what they could before, so that an outage makes no client bounce what is only to wait.
    /// Before the first good probe the safe minimum, which is nothing.
    [[nodiscard]] smtp::Capabilities offer() const;

    [[nodiscard]] bool has_healthy() const;
};

/// One address to try, and whose it is.
struct Candidate {
    std::size_t server = 0;  ///< index in Snapshot::servers
    net::SocketAddress address;
    std::string tls_name;  ///< Server::tls_name
};

/// Where to connect, best first: healthy servers before others, among them those with fewer connections in
/// `in_use` (by server), all addresses of a server in the resolver's order.
[[nodiscard]] std::vector<Candidate> candidates(const Snapshot& snapshot,
                                                const std::vector<std::size_t>& in_use);

}  // namespace gatepost::upstream

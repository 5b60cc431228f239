// What is known of an upstream's servers at one instant: an immutable value that the prober publishes and the
// workers read. Every address of every configured name is a server. Pure, but for the type of addresses. Any
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/socket_address.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/upstream/server_totals.h"

namespace gatepost::upstream {

struct Server {
    std::size_t endpoint = 0;    ///< index of the name under `servers`
    std::string name;            ///< that name: "mta.internal:25"
    std::string tls_name;        ///< whom its certificate must be for; "" of a unix socket
    net::SocketAddress address;  ///< one of those that the name has now
    bool is_healthy = false;
    bool is_known = false;            ///< was probed well at least once
    smtp::Capabilities capabilities;  ///< of its last good probe
    std::shared_ptr<ServerTotals> totals = std::make_shared<ServerTotals>();
};

struct Snapshot {
    std::vector<Server> servers;  ///< in the order of the names; empty while none is resolved

    /// What a message can use wherever it goes: the intersection over the healthy servers. While none is
    /// healthy, over what they could before, so that an outage makes no client bounce what is only to wait.
    /// Before the first good probe the safe minimum, which is nothing.
    [[nodiscard]] smtp::Capabilities offer() const;

    [[nodiscard]] bool has_healthy() const;

    /// The server of this address; nullptr when it has vanished.
    [[nodiscard]] const Server* find(std::size_t endpoint, const net::SocketAddress& address) const;
};

}  // namespace gatepost::upstream

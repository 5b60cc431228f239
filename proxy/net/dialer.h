// Begins connections. Never waits for them: the transport that gets the socket reports the outcome. Any
// thread.
#pragma once

#include <expected>
#include <optional>

#include "proxy/net/socket_address.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net {

/// A non-blocking, close-on-exec socket whose connect() has begun (or, for unix sockets, is done); or the
/// errno of what failed at once. TCP or unix. With a `source` (its port does not count) TCP leaves from that
/// address, and EAFNOSUPPORT says that it is of the other family; unix sockets have none.
[[nodiscard]] std::expected<UniqueFd, int> dial(const SocketAddress& address,
                                                const std::optional<SocketAddress>& source = std::nullopt);

}  // namespace gatepost::net

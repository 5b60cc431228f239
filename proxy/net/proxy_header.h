// Writes the header that tells an upstream whose connection this is (PROXY protocol v1 and v2);
// proxy_protocol.h reads it. Sends nothing: it must be the very first octets of a connection, before TLS. Any
// thread.
#pragma once

#include <string>

#include "proxy/net/socket_address.h"

namespace gatepost::net {

// `source` is the client, `destination` where he connected to. If only one is IPv4, it is written as
// ::ffff:192.0.2.1. If one is no IP address at all, the header says that of both nothing is known (UNKNOWN,
// LOCAL), and the upstream takes the connection for Gatepost's own.

/// "PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\r\n"
[[nodiscard]] std::string proxy_header_v1(const SocketAddress& source, const SocketAddress& destination);

/// The binary form, without TLVs.
[[nodiscard]] std::string proxy_header_v2(const SocketAddress& source, const SocketAddress& destination);

}  // namespace gatepost::net

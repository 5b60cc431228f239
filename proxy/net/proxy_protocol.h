// Reads the header that a load balancer puts in front of a connection (PROXY protocol v1 and v2). Pure: never
// reads a socket and never takes an octet behind the header. Any thread.
#pragma once

#include <cstddef>
#include <variant>

#include "proxy/base/bytes.h"
#include "proxy/net/socket_address.h"

namespace gatepost::net {

inline constexpr std::size_t kMaxProxyV1Size = 107;  ///< with CRLF
inline constexpr std::size_t kMaxProxyV2Size = 16 + 4096;

struct ProxyNeedsMore {};

/// Not a PROXY header, or one that breaks the specification; `reason` is static, for the log.
struct ProxyMalformed {
    std::string_view reason;
};

struct ProxyHeader {
    std::size_t consumed = 0;  ///< octets of the header; what follows belongs to the protocol behind it
    int version = 1;
    /// LOCAL, UNKNOWN and families other than IP: the balancer speaks for itself (a health check); use the
    /// connection's own addresses. `source` and `destination` are then AF_UNSPEC.
    bool is_local = false;
    SocketAddress source;
    SocketAddress destination;
};

using ProxyParse = std::variant<ProxyNeedsMore, ProxyMalformed, ProxyHeader>;

/// `octets` is everything received so far. The answer depends on nothing else, so calling again with more is
/// right.
[[nodiscard]] ProxyParse parse_proxy_header(ByteView octets);

}  // namespace gatepost::net

// What a pool is told about its upstream, and whom it tells what happens. Values and an interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/net/socket_address.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/opener.h"

namespace gatepost::upstream {

/// How the upstream learns who the client is.
enum class Identity : std::uint8_t { kNone, kXclient, kXclientLogin, kProxyV1, kProxyV2 };

/// Others' connections serve one session each (decisions 19).
[[nodiscard]] constexpr bool is_shared(Identity identity) {
    return identity == Identity::kNone || identity == Identity::kXclientLogin;
}

struct PoolSettings {
    OpenerSettings opener;
    Identity identity = Identity::kNone;
    Balance balance = Balance::kLeastConnections;
    std::uint64_t max_connections = 100;  ///< to one server, over all workers
    std::uint64_t max_idle = 16;          ///< likewise
    std::uint64_t min_idle = 0;           ///< this worker's share
    Duration idle_timeout = std::chrono::seconds(30);
    std::uint64_t max_messages = 100;
    Duration max_age = std::chrono::minutes(10);
    Duration wait_timeout = std::chrono::seconds(30);
    Duration connect_timeout = std::chrono::seconds(10);
};

/// Whom a connection is for.
struct Client {
    std::uint64_t session = 0;  ///< which session, in this pool's worker
    net::SocketAddress address;
    net::SocketAddress listener_address;  ///< where it connected to
    std::string greeting_name;
    bool is_esmtp = false;
    std::string user;  ///< "" without AUTH
    bool operator==(const Client&) const = default;
};

enum class Acquired : std::uint8_t {
    kReused,
    kNew,
    kTimeout,  ///< none was free in time
};

/// Told of what happens; on the pool's thread.
class PoolObserver {
  public:
    virtual ~PoolObserver() = default;
    /// A connection was opened, or could not be; with TLS of that version ("TLSv1.3"), or "".
    virtual void connected(std::size_t endpoint, const std::optional<OpeningFailure>& failure, Duration took,
                           std::string_view tls_version) = 0;
    virtual void acquired(Acquired how) = 0;
    /// One session more (or less) waits for a connection to become free.
    virtual void waiting(int change) = 0;
    /// One has ended to wait.
    virtual void waited(Duration how_long) = 0;
    /// What sessions find out about a server: for the ejection of outliers.
    virtual void served(std::size_t endpoint, const net::SocketAddress& address, bool good) = 0;
};

}  // namespace gatepost::upstream

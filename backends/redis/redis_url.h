// Where a Redis is, as an operator writes it: redis:// rediss:// unix:// redis-sentinel://. Parses only;
// never prints what it read, which may hold a password. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

/// redis://[[user]:password@]host[:6379][/database]        rediss:// the same in TLS
/// unix://[[user]:password@]/path[?db=database]
/// redis-sentinel://[[user]:password@]host[:26379][,host…]/master[/database]      rediss-sentinel:// in TLS
/// User and password are those of the data servers; %XX is decoded in both and in the path and master.
struct RedisUrl {
    std::vector<std::string> servers;  ///< "host:port", "[v6]:port" or "unix:/path"; sentinels if `master`
    std::string master;                ///< the name that Sentinel knows; "" = `servers` has the one server
    bool is_tls = false;
    unsigned database = 0;
    std::string username;
    std::shared_ptr<const Secret> password;  ///< nullptr = none written

    /// The error never shows the URL.
    [[nodiscard]] static Result<RedisUrl> parse(std::string_view text);
};

/// The host of "host:port" without brackets: what a certificate must name. Empty for unix:/path.
[[nodiscard]] std::string host_of(std::string_view server);

}  // namespace gatepost::backends

// What operators can see and do, whichever door they come through: the admin socket, HTTP, a signal. The
// gateway does it; the doors only ask. On the main loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"
#include "proxy/net/socket_address.h"

namespace gatepost::server {

/// One client connection, as `gatepost who` shows it.
struct SessionRow {
    std::string id;
    std::string listener;
    std::string client_ip;
    std::string user;      ///< "" before AUTH
    std::string helo;      ///< as the client said it: untrusted
    std::string tls;       ///< "TLSv1.3", or "" without TLS
    std::string phase;     ///< greeting, tls, auth, idle, envelope, data, relay
    std::string upstream;  ///< of the mail transaction, or ""
    Duration age{};
    std::uint64_t messages = 0;
    std::uint64_t received = 0;  ///< octets
    std::uint64_t sent = 0;
    std::string mechanism{};  ///< of the login; "" before AUTH
    std::string backend{};    ///< likewise
};

/// All that are given must fit; nothing given fits every session.
struct SessionFilter {
    std::string id;
    std::string user;
    std::string client_ip;               ///< or a network
    std::optional<net::Cidr> network{};  ///< what `client_ip` says
    std::string listener;
};

enum class ReloadTrigger { kSignal, kApi, kFile };

/// The process at a glance.
struct Status {
    std::string version;
    std::int64_t pid = 0;
    Duration up{};
    std::vector<std::string> unready_because;  ///< empty: ready
    bool is_draining = false;

    struct Configuration {
        std::string file;
        std::string hash;  ///< of what is served
        WallTime loaded{};
        std::string last_error;  ///< why the last reload changed nothing; "" if it succeeded
    } configuration;

    struct Listener {
        std::string name;
        std::string address;
        std::string tls;
        std::uint64_t connections = 0;
        std::uint64_t most = 0;
    };
    std::vector<Listener> listeners;

    struct Server {
        std::string name;
        bool is_up = false;
        std::uint64_t active = 0;  ///< connections
        std::uint64_t idle = 0;
        std::string why{};  ///< it is not up, as far as that is known
    };
    struct Upstream {
        std::string name;
        std::vector<Server> servers;
        std::uint64_t waiting = 0;
    };
    std::vector<Upstream> upstreams;

    struct Backend {
        std::string name;
        std::string type;
        std::uint64_t connections = 0;
        std::uint64_t answered = 0;
        std::uint64_t failed = 0;
    };
    std::vector<Backend> backends;

    struct Limit {
        std::string name;
        std::uint64_t allowed = 0;
        std::uint64_t refused = 0;
    };
    std::vector<Limit> limits;
    std::string limit_store;
    bool limit_store_is_up = true;

    struct Certificate {
        std::string file;
        WallTime expires{};
    };
    std::vector<Certificate> certificates;

    struct Messages {
        std::uint64_t accepted = 0, tempfail = 0, permfail = 0, aborted = 0;
    } messages;  ///< since the start
};

class Operations {
  public:
    virtual ~Operations() = default;

    [[nodiscard]] virtual Status status() = 0;

    /// `told` once, later, on the main thread.
    virtual void who(SessionFilter filter, std::function<void(std::vector<SessionRow>)> told) = 0;
    /// Ends them: 421 where the client can hear it. A message whose answer is awaited is waited for. `told`
    /// how many.
    virtual void kick(SessionFilter filter, std::function<void(std::size_t)> told) = 0;

    /// Reads the configuration again. `told` once, later: what is served now, or why nothing changed.
    virtual void reload(ReloadTrigger trigger, std::function<void(Result<std::string>)> told) = 0;

    /// As SIGTERM, and the process ends; a SIGTERM after it is the first one and changes nothing. `told` when
    /// the last session has ended, just before the process does.
    virtual void drain(std::function<void()> told) = 0;

    /// Until the process ends or the configuration is read again.
    virtual void set_log_level(conf::LogLevel level) = 0;
};

}  // namespace gatepost::server

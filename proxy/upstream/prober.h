// Asks each server of one upstream, again and again, what it can do: resolve, connect, TLS as sessions use
// it, EHLO, QUIT; never a message. Publishes a new snapshot when something changed. On the thread of its
// loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/upstream/security.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

struct ServerToProbe {
    std::string name;           ///< "host:port" or "unix:/path"
    std::string tls_name = {};  ///< whom its certificate must be for
};

struct ProbeSettings {
    std::vector<ServerToProbe> servers;
    std::string our_name;  ///< in EHLO
    Security security = {};
    Duration interval = std::chrono::seconds(10);
    Duration timeout = std::chrono::seconds(5);  ///< for one probe as a whole
    std::uint64_t rise = 2;
    std::uint64_t fall = 3;
};

/// Told of what happens; on the loop's thread.
class ProbeObserver {
  public:
    virtual ~ProbeObserver() = default;
    /// One probe of server `server` ended; `what` says why it failed.
    virtual void probed(std::size_t server, bool good, std::string_view what) = 0;
    /// Its verdict changed.
    virtual void health_changed(std::size_t server, bool healthy, std::string_view what) = 0;
    /// Addresses, health or capabilities of some server changed.
    virtual void snapshot_changed(std::shared_ptr<const Snapshot> snapshot) = 0;
};

class Prober {
  public:
    /// All references must outlive the prober. The first probes begin at once, in the loop.
    Prober(net::EventLoop& loop, net::Resolver& resolver, ProbeSettings settings, ProbeObserver& observer);
    ~Prober();
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const { return snapshot_; }

  private:
    class ServerProbe;
    friend class ServerProbe;

    void update(std::size_t server, Server now);

    ProbeSettings settings_;
    ProbeObserver& observer_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::shared_ptr<ServerProbe>> probes_;
};

}  // namespace gatepost::upstream

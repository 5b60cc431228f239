// Asks each server of one upstream, again and again, what it can do: resolve, connect, TLS and AUTH as
// sessions use them, EHLO, QUIT; never a message. Publishes a new snapshot when something changed. On the
// thread of its loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/upstream/known_totals.h"
#include "proxy/upstream/pool_settings.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

struct ServerToProbe {
    std::string name;           ///< "host:port" or "unix:/path"
    std::string tls_name = {};  ///< whom its certificate must be for
};

struct ProbeSettings {
    std::vector<ServerToProbe> servers;
    OpenerSettings opener = {};
    Identity identity = Identity::kNone;
    Duration interval = std::chrono::seconds(10);
    Duration timeout = std::chrono::seconds(5);  ///< for one probe of one address
    std::uint64_t rise = 2;
    std::uint64_t fall = 3;
    std::shared_ptr<KnownTotals> totals = std::make_shared<KnownTotals>();  ///< used on the prober's thread
};

/// Told of what happens; on the loop's thread.
class ProbeObserver {
  public:
    virtual ~ProbeObserver() = default;
    /// One probe of an address of endpoint `endpoint` ended, or its name could not be resolved; `failure` is
    /// nullptr when it was good.
    virtual void probed(std::size_t endpoint, const OpeningFailure* failure) = 0;
    /// The verdict on an address changed; of the name as a whole while it has no address. `what` says why it
    /// is not well.
    virtual void health_changed(std::size_t endpoint, const std::string& address, bool healthy,
                                std::string_view what) = 0;
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

    /// Every address that is known now was asked once, at least in vain, and a name without one was resolved
    /// in vain.
    [[nodiscard]] bool is_probed() const;

    /// What a session found out. After `fall` failures in a row a server is ejected: not well, until `rise`
    /// good probes. Never the last one that is well.
    void served(std::size_t endpoint, const net::SocketAddress& address, bool good);

  private:
    class Endpoint;
    class Address;

    void publish();
    [[nodiscard]] std::shared_ptr<const Snapshot> current() const;

    net::EventLoop& loop_;
    net::Resolver& resolver_;
    const ProbeSettings settings_;
    ProbeObserver& observer_;
    std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
    std::vector<std::shared_ptr<Endpoint>> endpoints_;
    bool is_complete_ = false;  ///< the constructor is over
};

}  // namespace gatepost::upstream

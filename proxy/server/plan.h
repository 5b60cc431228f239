// The configuration translated into each part's own settings; certificates and keys are loaded on the way.
// One immutable value; a connection keeps the one it was born with. Any thread.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/tls_channel.h"
#include "proxy/net/tls_context.h"
#include "proxy/observe/metrics_layout.h"
#include "proxy/server/slots.h"
#include "proxy/session/settings.h"
#include "proxy/upstream/known_totals.h"
#include "proxy/upstream/pool_group.h"
#include "proxy/upstream/pool_settings.h"

namespace gatepost::server {

struct ListenerPlan {
    observe::ListenerIndex index{};
    std::string name;
    std::string address;
    conf::ListenerTls tls = conf::ListenerTls::None;
    net::TlsSettings tls_settings;
    session::Settings session;
    std::vector<net::Cidr> trusted;
    std::vector<net::Cidr> proxies;
    std::uint64_t max_connections = 0;
    std::shared_ptr<ConnectionSlots> slots;   ///< of all listeners of this name, before and after a reload
    net::CertificateName certificate_name{};  ///< which of a client's names is the user's
    bool needs_binding = false;               ///< some -PLUS mechanism is configured
    std::vector<std::size_t> reaches;         ///< upstreams that mail of its clients may go to

    [[nodiscard]] bool is_trusted(const net::SocketAddress& client) const;
    [[nodiscard]] bool must_speak_proxy(const net::SocketAddress& peer) const;
};

struct UpstreamPlan {
    observe::UpstreamIndex index{};
    std::string name;
    std::size_t first_endpoint = 0;  ///< the metrics' number of its first server
    /// How to connect to its servers: its files have been read, and all threads use the same.
    upstream::OpenerSettings opener = {};
    std::shared_ptr<upstream::PoolGroup> group;  ///< of all upstreams of this name, before and after a reload
    std::shared_ptr<upstream::KnownTotals> totals;  ///< likewise; the main thread's
};

struct Plan {
    std::shared_ptr<const conf::Config> config;
    std::shared_ptr<const conf::Config> started;  ///< what the process was started with
    std::string hostname;
    unsigned workers = 1;
    std::vector<ListenerPlan> listeners;
    std::vector<UpstreamPlan> upstreams;
    std::vector<net::CertificateFacts> certificates;
    std::shared_ptr<const net::TicketKeys> ticket_keys;
    std::string hash;  ///< of the effective configuration: replicas with the same have the same
};

/// `before`: the plan that this one shall replace, if there is one: what cannot change while the process
/// runs, and what clients and their connections share over a reload, is taken from it.
[[nodiscard]] std::expected<std::shared_ptr<const Plan>, std::vector<conf::Problem>> make_plan(
    std::shared_ptr<const conf::Config> config, const Plan* before = nullptr);

/// Reads the upstream's files; the authorities may take tens of milliseconds.
[[nodiscard]] Result<upstream::OpenerSettings> make_opener_settings(const conf::Upstream& upstream,
                                                                    const std::string& hostname);
/// For the pool of worker `worker`, counted from 0.
[[nodiscard]] upstream::PoolSettings make_pool_settings(const Plan& plan, std::size_t upstream,
                                                        unsigned worker);
[[nodiscard]] upstream::Identity to_identity(conf::UpstreamIdentity identity);

[[nodiscard]] observe::LabelSets label_sets(const Plan& plan);

}  // namespace gatepost::server

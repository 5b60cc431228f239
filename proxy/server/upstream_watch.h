// Watches an upstream's servers from the main loop and tells the workers, the metrics and the log what was
// found. Main thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/operations.h"
#include "proxy/server/plan.h"
#include "proxy/upstream/prober.h"

namespace gatepost::server {

class UpstreamWatch final : private upstream::ProbeObserver {
  public:
    using Publish = std::function<void(std::shared_ptr<const upstream::Snapshot>)>;

    /// All references must outlive the watch. `publish` is called with each new snapshot, the first one
    /// inside this call, and, with the same one again, when the last address was asked for the first time.
    UpstreamWatch(net::EventLoop& loop, net::Resolver& resolver, const Plan& plan, std::size_t upstream,
                  observe::LogSink& log, observe::MetricsRegistry& registry, observe::WorkerMetrics& metrics,
                  Publish publish);

    /// What a session found out about a server.
    void served(std::size_t endpoint, const net::SocketAddress& address, bool good) {
        prober_.served(endpoint, address, good);
    }
    /// Its servers as configured, with the connections to all addresses of each.
    [[nodiscard]] std::vector<Status::Server> servers() const;
    /// Brings the metrics of connections up to date.
    void count_connections();

    /// Each address of each server was asked once, at least in vain.
    [[nodiscard]] bool is_probed() const noexcept { return is_probed_; }
    /// The log hears no more of it.
    void quiet() noexcept { is_quiet_ = true; }

    [[nodiscard]] bool has_healthy() const { return prober_.snapshot()->has_healthy(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    void probed(std::size_t endpoint, const upstream::OpeningFailure* failure) override;
    void health_changed(std::size_t endpoint, const std::string& address, bool healthy,
                        std::string_view what) override;
    void snapshot_changed(std::shared_ptr<const upstream::Snapshot> snapshot) override;

    [[nodiscard]] observe::EndpointIndex index_of(std::size_t endpoint) const;

    const std::string name_;
    const std::size_t first_endpoint_;
    const std::vector<upstream::ServerToProbe> servers_;
    std::vector<std::string> why_;  ///< by server: what its last failed health check met
    observe::LogSink& log_;
    observe::MetricsRegistry& registry_;
    observe::WorkerMetrics& metrics_;
    Publish publish_;
    std::shared_ptr<const upstream::Snapshot> told_;  ///< the last one published
    bool is_probed_ = false;
    bool is_quiet_ = false;
    upstream::Prober prober_;
};

}  // namespace gatepost::server

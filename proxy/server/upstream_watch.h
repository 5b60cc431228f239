// Watches an upstream's servers from the main loop and tells the workers, the metrics and the log what was
// found. Main thread.
#pragma once

#include <functional>
#include <memory>

#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/plan.h"
#include "proxy/upstream/prober.h"

namespace gatepost::server {

class UpstreamWatch final : private upstream::ProbeObserver {
  public:
    using Publish = std::function<void(std::shared_ptr<const upstream::Snapshot>)>;

    /// All references must outlive the watch. `publish` is called with each new snapshot, the first one
    /// inside this call.
    UpstreamWatch(net::EventLoop& loop, net::Resolver& resolver, const Plan& plan,
                  upstream::Security security, observe::LogSink& log, observe::MetricsRegistry& registry,
                  observe::WorkerMetrics& metrics, Publish publish);

    [[nodiscard]] bool has_healthy() const { return prober_.snapshot()->has_healthy(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    void probed(std::size_t server, bool good, std::string_view what) override;
    void health_changed(std::size_t server, bool healthy, std::string_view what) override;
    void snapshot_changed(std::shared_ptr<const upstream::Snapshot> snapshot) override;

    const std::string name_;
    const std::vector<upstream::ServerToProbe> servers_;
    observe::LogSink& log_;
    observe::MetricsRegistry& registry_;
    observe::WorkerMetrics& metrics_;
    Publish publish_;
    std::shared_ptr<const upstream::Snapshot> told_;  ///< the last one published
    upstream::Prober prober_;
};

}  // namespace gatepost::server

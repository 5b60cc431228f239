// What a pool tells, as metrics; and what sessions find out about servers, for whoever watches them. On the
// worker's thread.
#pragma once

#include <functional>
#include <set>
#include <utility>

#include "proxy/observe/worker_metrics.h"
#include "proxy/server/labels.h"
#include "proxy/upstream/pool_settings.h"

namespace gatepost::server {

/// A session's experience with a server of an upstream. Called on a worker's thread.
using Served = std::function<void(std::size_t upstream, std::size_t endpoint,
                                  const net::SocketAddress& address, bool good)>;

class PoolMetrics final : public upstream::PoolObserver {
  public:
    /// `first_endpoint`: the metrics' number of the upstream's first server. References outlive this.
    PoolMetrics(observe::WorkerMetrics& metrics, observe::UpstreamIndex upstream, std::size_t first_endpoint,
                const Served& served)
        : metrics_(metrics), upstream_(upstream), first_endpoint_(first_endpoint), served_(served) {}

    void connected(std::size_t endpoint, const std::optional<upstream::OpeningFailure>& failure,
                   Duration took, std::string_view tls_version) override {
        const observe::EndpointIndex index{static_cast<std::uint32_t>(first_endpoint_ + endpoint)};
        metrics_.upstream_connected(index, failure ? to_label(failure->why) : conf::ConnectResult::kOk, took);
        if (failure && failure->why == upstream::OpeningFailure::Why::kTlsFailed)
            metrics_.upstream_tls_failed(upstream_, upstream_tls_failure_label(failure->what));
        if (!tls_version.empty())
            metrics_.upstream_tls_established(upstream_, conf::tls_protocol_of(tls_version));
    }
    void acquired(upstream::Acquired how) override {
        using enum conf::AcquireResult;
        switch (how) {
            case upstream::Acquired::kReused: return metrics_.upstream_acquired(upstream_, kReused);
            case upstream::Acquired::kNew: return metrics_.upstream_acquired(upstream_, kNew);
            case upstream::Acquired::kTimeout: return metrics_.upstream_acquired(upstream_, kTimeout);
        }
    }
    void waiting(int change) override { metrics_.upstream_waiting(upstream_, change > 0); }
    void waited(Duration how_long) override { metrics_.upstream_waited(upstream_, how_long); }

    /// A success is news only after a failure.
    void served(std::size_t endpoint, const net::SocketAddress& address, bool good) override {
        const auto server = std::pair(endpoint, address);
        const bool is_news = good ? suspects_.erase(server) > 0 : true;
        if (!good) suspects_.insert(server);
        if (is_news) served_(static_cast<std::size_t>(upstream_), endpoint, address, good);
    }

  private:
    observe::WorkerMetrics& metrics_;
    const observe::UpstreamIndex upstream_;
    const std::size_t first_endpoint_;
    const Served& served_;
    std::set<std::pair<std::size_t, net::SocketAddress>> suspects_;
};

}  // namespace gatepost::server

// All metrics of the process: hands each thread its own array to count in, holds the few values that are set
// rather than counted, and adds everything up for a scrape. Never on the path of a session. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/observe/auth_blocks.h"
#include "proxy/observe/cell_map.h"
#include "proxy/observe/metrics_layout.h"
#include "proxy/observe/worker_metrics.h"

namespace gatepost::observe {

class LogSink;

class MetricsRegistry {
  public:
    /// Every series exists, at zero, from here on. build_info and config_last_reload_successful begin with 1.
    /// With a `predecessor` it begins where that one is: a scrape shows what both count, now and later, where
    /// all labels of a series are still there; gauges that are set begin at zero, but for those of the
    /// process (ready, draining, config_…), which all generations share: whichever sets them sets them for
    /// all.
    explicit MetricsRegistry(LabelSets labels, std::shared_ptr<const MetricsRegistry> predecessor = nullptr);
    ~MetricsRegistry();
    MetricsRegistry(const MetricsRegistry&) = delete;
    MetricsRegistry& operator=(const MetricsRegistry&) = delete;

    /// A set of counters for one thread, which alone may count in it. Lives as long as the registry.
    [[nodiscard]] WorkerMetrics& add_worker();

    /// Likewise, for what lives longer than a configuration (the main loop, the resolver, a worker's loop).
    /// Lives as long as the newest registry. Only metrics without names from the configuration may be counted
    /// in it.
    [[nodiscard]] WorkerMetrics& add_process_worker();

    /// The log whose lines are counted in log_messages_total and log_dropped_total; outlives the registry.
    void watch(const LogSink& log);

    /// Nobody counts here any more. The next scrape of a successor, or the next reload, keeps what was
    /// counted and lets this one go.
    void retire() noexcept { retired_.store(true, std::memory_order_release); }
    /// Itself and its predecessors that are kept. On the thread that scrapes.
    [[nodiscard]] std::size_t generations() const;

    // Names that arrive at run time. What is not in the label sets becomes "other" and "none".
    [[nodiscard]] MechanismIndex mechanism(std::string_view name) const noexcept;
    [[nodiscard]] BackendIndex backend(std::string_view name) const noexcept;

    /// Its name as configured; valid as long as the registry.
    [[nodiscard]] std::string_view name_of(LimitIndex limit) const noexcept {
        return layout_.labels().limits[static_cast<std::size_t>(limit)];
    }

    void set_ready(bool ready) { set<conf::Metric::ready>(ready ? 1 : 0); }
    void set_draining(bool draining) { set<conf::Metric::draining>(draining ? 1 : 0); }
    /// `hash`: of the configuration that is served, as config_info shows it.
    void config_loaded(WallTime at, std::string_view hash);
    void config_refused() { set<conf::Metric::config_last_reload_successful>(0); }
    void set_connections_limit(ListenerIndex listener, std::uint64_t limit) {
        set<conf::Metric::connections_limit>(static_cast<double>(limit), listener);
    }
    /// Any thread. Not of a backend that is none of the configured ones.
    void set_auth_backend_up(BackendIndex backend, bool up) {
        set_backend<conf::Metric::auth_backend_up>(backend, up ? 1 : 0);
    }
    void set_auth_cache_entries(BackendIndex backend, std::size_t entries) {
        set_backend<conf::Metric::auth_cache_entries>(backend, static_cast<double>(entries));
    }
    void set_certificate_not_after(CertificateIndex certificate, WallTime at);
    void set_upstream_up(EndpointIndex endpoint, bool up) {
        set<conf::Metric::upstream_up>(up ? 1 : 0, endpoint);
    }

    // Blocks of auth.guessing (auth_blocks.h), for all generations. Any thread.
    void auth_block_noted(conf::GuessingScope scope, std::string_view key, TimePoint now, TimePoint until);
    void auth_block_lifted(std::string_view key);
    /// The rules are others now: whom they refuse is to be seen.
    void forget_auth_blocks();

    void set_limit_store_up(bool up) { set<conf::Metric::rate_limit_store_up>(up ? 1 : 0, 0U); }
    void set_limit_replicas(unsigned replicas) { set<conf::Metric::rate_limit_replicas>(replicas); }
    void set_upstream_connections_limit(UpstreamIndex upstream, std::uint64_t limit) {
        set<conf::Metric::upstream_connections_limit>(static_cast<double>(limit), upstream);
    }
    void set_upstream_connections(EndpointIndex endpoint, conf::PoolState state, std::uint64_t count) {
        set<conf::Metric::upstream_connections>(static_cast<double>(count), endpoint, state);
    }

    /// What was counted up to now over all series at these positions, one for each axis of the metric; no
    /// value: at all of them. For counters and what is kLive.
    [[nodiscard]] std::uint64_t total(conf::Metric metric,
                                      std::initializer_list<std::optional<std::size_t>> where = {}) const;
    /// The value that was set last, of a gauge that has one series.
    [[nodiscard]] double gauge(conf::Metric metric) const noexcept {
        return gauges_[layout_.first_of(metric)].load(std::memory_order_relaxed);
    }

    /// The text exposition format, version 0.0.4. Takes some milliseconds.
    [[nodiscard]] std::string scrape() const;

    /// How many series a scrape shows; a histogram's buckets, sum and count are a series each.
    [[nodiscard]] std::size_t series() const noexcept;

  private:
    class Collector;
    friend class Collector;

    template <conf::Metric kMetric, typename... Index>
    void set(double value, Index... index) noexcept {
        static_assert(conf::row_of(kMetric).kind == conf::MetricKind::kGauge);
        gauge_of(kMetric, layout_.cell_of<kMetric>(index...)).store(value, std::memory_order_relaxed);
    }

    template <conf::Metric kMetric>
    void set_backend(BackendIndex backend, double value) noexcept {
        if (layout_.is_configured(backend)) set<kMetric>(value, backend);
    }

    [[nodiscard]] std::atomic<double>& gauge_of(conf::Metric metric, std::size_t cell) const noexcept {
        return conf::is_of_process(metric) ? process_->gauges[static_cast<std::size_t>(metric)]
                                           : gauges_[cell];
    }

    [[nodiscard]] std::vector<std::uint64_t> totals() const;
    [[nodiscard]] std::vector<std::uint64_t> own_sums() const;
    void add_process_counts(std::vector<std::uint64_t>& sums) const;
    void drop_retired() const;
    void forget_retired() const;
    [[nodiscard]] std::string config_hash() const;
    [[nodiscard]] std::size_t auth_blocks_active(conf::GuessingScope scope, TimePoint now) const;

    /// What a reload does not begin anew.
    struct OfProcess {
        explicit OfProcess(unsigned workers);
        const MetricsLayout layout;
        std::deque<WorkerMetrics> counters;
        std::array<std::atomic<double>, conf::kMetrics.size()> gauges{};  ///< of is_of_process(), by metric
        std::mutex mutex;
        std::string config_hash;
        AuthBlocks auth_blocks;
    };

    const MetricsLayout layout_;
    std::unique_ptr<std::atomic<double>[]> gauges_;  ///< the cells of kGauge metrics; the others are unused
    std::atomic<const LogSink*> log_ = nullptr;
    const std::shared_ptr<OfProcess> process_;
    const CellMap process_map_;  ///< from the cells of what is of the process to these
    std::atomic<bool> retired_ = false;

    mutable std::mutex mutex_;           ///< guards what follows, not what is counted in it
    std::deque<WorkerMetrics> workers_;  ///< addresses stay
    // A scrape lets go of predecessors that retired.
    mutable std::shared_ptr<const MetricsRegistry> predecessor_;
    mutable std::optional<CellMap> map_;       ///< from the predecessor's cells to these
    mutable std::vector<std::uint64_t> gone_;  ///< what predecessors that are gone have counted
};

}  // namespace gatepost::observe

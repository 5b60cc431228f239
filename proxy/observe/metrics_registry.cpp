#include "proxy/observe/metrics_registry.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "proxy/observe/log_sink.h"
#include "proxy/observe/process_stats.h"

namespace gatepost::observe {

using conf::Metric;
using conf::MetricKind;
using conf::MetricRow;

namespace {

double in_seconds(WallTime time) {
    return static_cast<double>(time.time_since_epoch().count());
}

prometheus::MetricType type_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::kCounter:
        case MetricKind::kSampledCounter: return prometheus::MetricType::Counter;
        case MetricKind::kHistogram: return prometheus::MetricType::Histogram;
        case MetricKind::kLive:
        case MetricKind::kGauge:
        case MetricKind::kSampled: return prometheus::MetricType::Gauge;
    }
    return prometheus::MetricType::Untyped;
}

std::size_t position_of(const std::vector<std::string>& names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    return static_cast<std::size_t>(std::min(found, names.end() - 1) - names.begin());
}

}  // namespace

/// One scrape: adds the workers up, then shows every series of every row of the table.
class MetricsRegistry::Collector final : public prometheus::Collectable {
  public:
    explicit Collector(const MetricsRegistry& registry) : registry_(registry), layout_(registry.layout_) {}

    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        add_up();
        process_ = read_process_stats();
        std::vector<prometheus::MetricFamily> families;
        families.reserve(conf::kMetrics.size());
        for (std::size_t i = 0; i < conf::kMetrics.size(); ++i) {
            const auto metric = static_cast<Metric>(i);
            const std::size_t series = layout_.series_of(metric);
            if (series != 0) families.push_back(family_of(metric, series));
        }
        return families;
    }

  private:
    void add_up() const {
        sums_.assign(layout_.cells(), 0);
        const std::lock_guard lock(registry_.mutex_);
        for (std::size_t i = 0; i < conf::kMetrics.size(); ++i) {
            const auto metric = static_cast<Metric>(i);
            if (conf::row_of(metric).kind == MetricKind::kHistogram) {
                add_up_histograms(metric);
            } else {
                add_up_cells(layout_.first_of(metric), layout_.first_of(metric) + layout_.series_of(metric));
            }
        }
    }

    void add_up_cells(std::size_t begin, std::size_t end) const {
        for (const WorkerMetrics& worker : registry_.workers_) {
            for (std::size_t cell = begin; cell < end; ++cell) sums_[cell] += worker.cell(cell);
        }
    }

    // The last cell of each series is a double.
    void add_up_histograms(Metric metric) const {
        const std::size_t stride = MetricsLayout::stride_of(conf::row_of(metric));
        const std::size_t end = layout_.first_of(metric) + layout_.series_of(metric) * stride;
        for (std::size_t first = layout_.first_of(metric); first < end; first += stride) {
            const std::size_t sum = first + stride - 1;
            add_up_cells(first, sum);
            double total = 0;
            for (const WorkerMetrics& worker : registry_.workers_)
                total += std::bit_cast<double>(worker.cell(sum));
            sums_[sum] = std::bit_cast<std::uint64_t>(total);
        }
    }

    [[nodiscard]] prometheus::MetricFamily family_of(Metric metric, std::size_t series) const {
        const MetricRow& row = conf::row_of(metric);
        prometheus::MetricFamily family;
        family.name.append(conf::prefix_of(row.name)).append(row.name);
        family.help = row.help;
        family.type = type_of(row.kind);
        family.metric.reserve(series);
        for (std::size_t i = 0; i < series; ++i) {
            prometheus::ClientMetric& shown = family.metric.emplace_back();
            label(shown, row, i);
            value(shown, metric, row, i);
        }
        return family;
    }

    void label(prometheus::ClientMetric& shown, const MetricRow& row, std::size_t series) const {
        std::array<std::size_t, 4> position{};
        for (std::size_t i = row.axes.size(); i-- > 0;) {
            const std::size_t size = layout_.size_of(row.axes.items[i]);
            position[i] = series % size;
            series /= size;
        }
        for (std::size_t i = 0; i < row.axes.size(); ++i) {
            const conf::Axis axis = row.axes.items[i];
            const auto values = layout_.values_of(axis, position[i]);
            const conf::AxisRow& names = conf::row_of(axis);
            for (std::size_t j = 0; j < names.labels.size(); ++j) {
                shown.label.push_back({std::string(names.labels.items[j]), std::string(values[j])});
            }
        }
    }

    void value(prometheus::ClientMetric& shown, Metric metric, const MetricRow& row,
               std::size_t series) const {
        const std::size_t cell = layout_.first_of(metric) + series * MetricsLayout::stride_of(row);
        switch (row.kind) {
            case MetricKind::kCounter: shown.counter.value = static_cast<double>(sums_[cell]); break;
            case MetricKind::kLive:
                shown.gauge.value = static_cast<double>(std::bit_cast<std::int64_t>(sums_[cell]));
                break;
            case MetricKind::kGauge:
                shown.gauge.value = registry_.gauges_[cell].load(std::memory_order_relaxed);
                break;
            case MetricKind::kSampled: shown.gauge.value = sample(metric, series); break;
            case MetricKind::kSampledCounter: shown.counter.value = sample(metric, series); break;
            case MetricKind::kHistogram: histogram(shown.histogram, row.buckets, cell); break;
        }
    }

    void histogram(prometheus::ClientMetric::Histogram& shown, std::span<const double> bounds,
                   std::size_t cell) const {
        for (const double bound : bounds) {
            shown.sample_count += sums_[cell++];
            shown.bucket.push_back({shown.sample_count, bound});
        }
        shown.sample_count += sums_[cell++];
        shown.sample_sum = std::bit_cast<double>(sums_[cell]);
    }

    [[nodiscard]] double sample(Metric metric, std::size_t series) const {
        const LogSink* log = registry_.log_.load(std::memory_order_acquire);
        switch (metric) {
            case Metric::log_messages_total:
                return log == nullptr ? 0
                                      : static_cast<double>(log->lines(static_cast<conf::LogLevel>(series)));
            case Metric::log_dropped_total: return log == nullptr ? 0 : static_cast<double>(log->dropped());
            case Metric::process_cpu_seconds_total: return process_.cpu_seconds;
            case Metric::process_open_fds: return process_.open_fds;
            case Metric::process_max_fds: return process_.max_fds;
            case Metric::process_resident_memory_bytes: return process_.resident_bytes;
            case Metric::process_virtual_memory_bytes: return process_.virtual_bytes;
            case Metric::process_start_time_seconds: return process_.start_seconds;
            case Metric::process_threads: return process_.threads;
            default: return 0;
        }
    }

    const MetricsRegistry& registry_;
    const MetricsLayout& layout_;
    mutable std::vector<std::uint64_t> sums_;  // Collect() is const in the library's interface
    mutable ProcessStats process_;
};

MetricsRegistry::MetricsRegistry(LabelSets labels)
    : layout_(std::move(labels)), gauges_(std::make_unique<std::atomic<double>[]>(layout_.cells())) {
    set<Metric::build_info>(1, 0);
    config_loaded(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

MetricsRegistry::~MetricsRegistry() = default;

WorkerMetrics::WorkerMetrics(const MetricsLayout& layout)
    : layout_(layout), cells_(std::make_unique<Cell[]>(layout.cells())) {}

WorkerMetrics& MetricsRegistry::add_worker() {
    const std::lock_guard lock(mutex_);
    return workers_.emplace_back(layout_);
}

void MetricsRegistry::watch(const LogSink& log) {
    log_.store(&log, std::memory_order_release);
}

MechanismIndex MetricsRegistry::mechanism(std::string_view name) const noexcept {
    return static_cast<MechanismIndex>(position_of(layout_.labels().mechanisms, name));
}

BackendIndex MetricsRegistry::backend(std::string_view name) const noexcept {
    return static_cast<BackendIndex>(position_of(layout_.labels().backends, name));
}

void MetricsRegistry::config_loaded(WallTime at) {
    set<Metric::config_last_reload_successful>(1);
    set<Metric::config_last_reload_success_timestamp_seconds>(in_seconds(at));
}

void MetricsRegistry::set_certificate_not_after(CertificateIndex certificate, WallTime at) {
    set<Metric::tls_certificate_not_after_timestamp_seconds>(in_seconds(at), certificate);
}

std::string MetricsRegistry::scrape() const {
    return prometheus::TextSerializer().Serialize(Collector(*this).Collect());
}

std::size_t MetricsRegistry::series() const noexcept {
    std::size_t series = 0;
    for (std::size_t i = 0; i < conf::kMetrics.size(); ++i) {
        const MetricRow& row = conf::kMetrics[i];
        // A histogram shows its buckets, +Inf, sum and count.
        const std::size_t lines = row.kind == MetricKind::kHistogram ? row.buckets.size() + 3 : 1;
        series += layout_.series_of(static_cast<Metric>(i)) * lines;
    }
    return series;
}

}  // namespace gatepost::observe

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

std::vector<std::uint64_t> sums_of(const std::deque<WorkerMetrics>& workers,
                                   std::vector<std::uint64_t> sums) {
    for (const WorkerMetrics& worker : workers) {
        for (std::size_t cell = 0; cell < sums.size(); ++cell) sums[cell] += worker.cell(cell);
    }
    return sums;
}

/// No names but those of the workers.
LabelSets labels_of_process(unsigned workers) {
    LabelSets labels;
    labels.workers = workers;
    return labels;
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
        sums_ = registry_.totals();
        registry_.add_process_counts(sums_);
        config_hash_ = registry_.config_hash();
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
    [[nodiscard]] prometheus::MetricFamily family_of(Metric metric, std::size_t series) const {
        const MetricRow& row = conf::row_of(metric);
        prometheus::MetricFamily family;
        family.name.append(conf::prefix_of(row.name)).append(row.name);
        family.help = row.help;
        family.type = type_of(row.kind);
        family.metric.reserve(series);
        for (std::size_t i = 0; i < series; ++i) {
            prometheus::ClientMetric& shown = family.metric.emplace_back();
            label(shown, metric, row, i);
            value(shown, metric, row, i);
        }
        return family;
    }

    void label(prometheus::ClientMetric& shown, Metric metric, const MetricRow& row,
               std::size_t series) const {
        const auto position = layout_.positions_of(metric, series);
        for (std::size_t i = 0; i < row.axes.size(); ++i) {
            const conf::Axis axis = row.axes.items[i];
            auto values = layout_.values_of(axis, position[i]);
            if (axis == conf::Axis::config) values[0] = config_hash_;
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
            case MetricKind::kCounter: shown.counter.value = in_unit(row, sums_[cell]); break;
            case MetricKind::kLive:
                shown.gauge.value = static_cast<double>(std::bit_cast<std::int64_t>(sums_[cell]));
                break;
            case MetricKind::kGauge:
                shown.gauge.value = registry_.gauge_of(metric, cell).load(std::memory_order_relaxed);
                break;
            case MetricKind::kSampled: shown.gauge.value = sample(metric, series); break;
            case MetricKind::kSampledCounter: shown.counter.value = sample(metric, series); break;
            case MetricKind::kHistogram: histogram(shown.histogram, row, cell); break;
        }
    }

    [[nodiscard]] static double in_unit(const MetricRow& row, std::uint64_t counted) {
        return static_cast<double>(counted) / (conf::is_in_seconds(row) ? 1e9 : 1);
    }

    void histogram(prometheus::ClientMetric::Histogram& shown, const MetricRow& row, std::size_t cell) const {
        for (const double bound : row.buckets) {
            shown.sample_count += sums_[cell++];
            shown.bucket.push_back({shown.sample_count, bound});
        }
        shown.sample_count += sums_[cell++];
        shown.sample_sum = in_unit(row, sums_[cell]);
    }

    [[nodiscard]] double sample(Metric metric, std::size_t series) const {
        const LogSink* log = registry_.log_.load(std::memory_order_acquire);
        switch (metric) {
            case Metric::log_messages_total:
                return log == nullptr ? 0
                                      : static_cast<double>(log->lines(static_cast<conf::LogLevel>(series)));
            case Metric::auth_blocks_active:
                return static_cast<double>(
                    registry_.auth_blocks_active(static_cast<conf::GuessingScope>(series), Clock::now()));
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
    mutable std::string config_hash_;
    mutable ProcessStats process_;
};

MetricsRegistry::MetricsRegistry(LabelSets labels, std::shared_ptr<const MetricsRegistry> predecessor)
    : layout_(std::move(labels)),
      gauges_(std::make_unique<std::atomic<double>[]>(layout_.cells())),
      process_(predecessor ? predecessor->process_ : std::make_shared<OfProcess>(layout_.labels().workers)),
      process_map_(process_->layout, layout_),
      gone_(layout_.cells()) {
    set<Metric::build_info>(1, 0);
    set<Metric::config_info>(1, 0);
    for (std::uint32_t i = 0; i < layout_.size_of(conf::Axis::configured_backend); ++i)
        set_auth_backend_up(BackendIndex{i}, true);
    if (!predecessor) {
        config_loaded(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()), "");
        return;
    }
    predecessor->forget_retired();  // where nobody scrapes, too
    log_.store(predecessor->log_.load(std::memory_order_acquire), std::memory_order_release);
    map_.emplace(predecessor->layout_, layout_);
    predecessor_ = std::move(predecessor);
}

MetricsRegistry::OfProcess::OfProcess(unsigned workers) : layout(labels_of_process(workers)) {}

MetricsRegistry::~MetricsRegistry() = default;

WorkerMetrics::WorkerMetrics(const MetricsLayout& layout)
    : layout_(layout), cells_(std::make_unique<Cell[]>(layout.cells())) {}

WorkerMetrics& MetricsRegistry::add_worker() {
    const std::lock_guard lock(mutex_);
    return workers_.emplace_back(layout_);
}

WorkerMetrics& MetricsRegistry::add_process_worker() {
    const std::lock_guard lock(process_->mutex);
    return process_->counters.emplace_back(process_->layout);
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

std::vector<std::uint64_t> MetricsRegistry::totals() const {
    const std::lock_guard lock(mutex_);
    drop_retired();
    std::vector<std::uint64_t> sums = own_sums();
    if (predecessor_) map_->add(predecessor_->totals(), sums);
    return sums;
}

void MetricsRegistry::add_process_counts(std::vector<std::uint64_t>& sums) const {
    const std::lock_guard lock(process_->mutex);
    process_map_.add(sums_of(process_->counters, std::vector<std::uint64_t>(process_->layout.cells())), sums);
}

/// With the mutex held. Of the workers, and of the predecessors that are gone.
std::vector<std::uint64_t> MetricsRegistry::own_sums() const {
    return sums_of(workers_, gone_);
}

/// With the mutex held. What a retired predecessor has counted stays here, and its own predecessor takes its
/// place: a session may outlive many reloads.
void MetricsRegistry::drop_retired() const {
    while (predecessor_ && predecessor_->retired_.load(std::memory_order_acquire)) {
        const std::shared_ptr<const MetricsRegistry> retired = std::move(predecessor_);
        const std::lock_guard lock(retired->mutex_);
        map_->add(retired->own_sums(), gone_);
        predecessor_ = retired->predecessor_;
        if (predecessor_) map_ = retired->map_->then(*map_);
    }
}

void MetricsRegistry::forget_retired() const {
    const std::lock_guard lock(mutex_);
    drop_retired();
    if (predecessor_) predecessor_->forget_retired();
}

std::string MetricsRegistry::config_hash() const {
    const std::lock_guard lock(process_->mutex);
    return process_->config_hash;
}

void MetricsRegistry::auth_block_noted(conf::GuessingScope scope, std::string_view key, TimePoint now,
                                       TimePoint until) {
    const std::lock_guard lock(process_->mutex);
    process_->auth_blocks.note(scope, key, now, until);
}

void MetricsRegistry::auth_block_lifted(std::string_view key) {
    const std::lock_guard lock(process_->mutex);
    process_->auth_blocks.forget(key);
}

void MetricsRegistry::forget_auth_blocks() {
    const std::lock_guard lock(process_->mutex);
    process_->auth_blocks = {};
}

std::size_t MetricsRegistry::auth_blocks_active(conf::GuessingScope scope, TimePoint now) const {
    const std::lock_guard lock(process_->mutex);
    return process_->auth_blocks.active(scope, now);
}

std::size_t MetricsRegistry::generations() const {
    std::size_t count = 1;
    for (const MetricsRegistry* one = this; one->predecessor_; one = one->predecessor_.get()) ++count;
    return count;
}

void MetricsRegistry::config_loaded(WallTime at, std::string_view hash) {
    {
        const std::lock_guard lock(process_->mutex);
        process_->config_hash = hash;
    }
    set<Metric::config_last_reload_successful>(1);
    set<Metric::config_last_reload_success_timestamp_seconds>(in_seconds(at));
}

void MetricsRegistry::set_certificate_not_after(CertificateIndex certificate, WallTime at) {
    set<Metric::tls_certificate_not_after_timestamp_seconds>(in_seconds(at), certificate);
}

std::string MetricsRegistry::scrape() const {
    return prometheus::TextSerializer().Serialize(Collector(*this).Collect());
}

std::uint64_t MetricsRegistry::total(Metric metric,
                                     std::initializer_list<std::optional<std::size_t>> where) const {
    const auto& axes = conf::row_of(metric).axes;
    const auto is_meant = [&](std::size_t series) {
        for (std::size_t axis = axes.size(); axis-- > 0;) {
            const std::size_t size = layout_.size_of(axes.items[axis]);
            const auto wanted = axis < where.size() ? where.begin()[axis] : std::nullopt;
            if (wanted && *wanted != series % size) return false;
            series /= size;
        }
        return true;
    };
    const std::vector<std::uint64_t> cells = totals();
    std::uint64_t total = 0;
    for (std::size_t series = 0; series < layout_.series_of(metric); ++series) {
        if (is_meant(series)) total += cells[layout_.first_of(metric) + series];
    }
    return total;
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

#include "proxy/observe/metrics_layout.h"

#include <utility>

namespace gatepost::observe {
namespace {

using conf::Axis;

std::size_t size_at_start(const LabelSets& labels, Axis axis) {
    const std::size_t fixed = conf::row_of(axis).values.size();
    if (fixed != 0) return fixed;
    switch (axis) {
        case Axis::listener: return labels.listeners.size();
        case Axis::mechanism: return labels.mechanisms.size();
        case Axis::backend: return labels.backends.size();
        case Axis::configured_backend: return labels.backends.size() - 1;  // "none" is not configured
        case Axis::upstream: return labels.upstreams.size();
        case Axis::endpoint: return labels.endpoints.size();
        case Axis::certificate: return labels.certificates.size();
        case Axis::limit: return labels.limits.size();
        case Axis::worker: return labels.workers;
        default: return 1;  // build: one binary; config: one is served; limit_store: one store
    }
}

}  // namespace

MetricsLayout::MetricsLayout(LabelSets labels) : labels_(std::move(labels)) {
    labels_.mechanisms.emplace_back("other");
    labels_.backends.emplace_back("none");
    for (unsigned i = 0; i < labels_.workers; ++i) workers_.push_back(std::to_string(i));
    for (std::size_t axis = 0; axis < conf::kAxes.size(); ++axis) {
        axis_size_[axis] = size_at_start(labels_, static_cast<Axis>(axis));
    }
    for (std::size_t metric = 0; metric < conf::kMetrics.size(); ++metric) {
        first_[metric] = cells_;
        cells_ += series_of(static_cast<conf::Metric>(metric)) * stride_of(conf::kMetrics[metric]);
    }
}

std::size_t MetricsLayout::series_of(conf::Metric metric) const noexcept {
    std::size_t series = 1;
    for (const Axis axis : conf::row_of(metric).axes) series *= size_of(axis);
    return series;
}

std::array<std::size_t, conf::kMostAxes> MetricsLayout::positions_of(conf::Metric metric,
                                                                     std::size_t series) const noexcept {
    const conf::MetricRow& row = conf::row_of(metric);
    std::array<std::size_t, conf::kMostAxes> position{};
    for (std::size_t i = row.axes.size(); i-- > 0;) {
        const std::size_t size = size_of(row.axes.items[i]);
        position[i] = series % size;
        series /= size;
    }
    return position;
}

std::vector<std::string_view> MetricsLayout::values_of(Axis axis, std::size_t index) const {
    const conf::AxisRow& row = conf::row_of(axis);
    if (!row.values.empty()) return {row.values[index]};
    switch (axis) {
        case Axis::listener: return {labels_.listeners[index]};
        case Axis::mechanism: return {labels_.mechanisms[index]};
        case Axis::backend:
        case Axis::configured_backend: return {labels_.backends[index]};
        case Axis::upstream: return {labels_.upstreams[index]};
        case Axis::certificate: return {labels_.certificates[index]};
        case Axis::limit: return {labels_.limits[index]};
        case Axis::worker: return {workers_[index]};
        case Axis::limit_store: return {labels_.limit_store};
        case Axis::endpoint: {
            const auto& [upstream, name] = labels_.endpoints[index];
            return {labels_.upstreams[static_cast<std::size_t>(upstream)], name};
        }
        case Axis::config: return {""};  // known at run time, and only to the registry
        default: return {labels_.version, labels_.revision, labels_.tls_library};
    }
}

}  // namespace gatepost::observe

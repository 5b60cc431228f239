#include "proxy/observe/cell_map.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gatepost::observe {
namespace {

using conf::Axis;
using conf::Metric;
using conf::MetricKind;

/// For each position of an axis in `from`, the one of the same texts in `to`; the size of `to` where there is
/// none.
using Positions = std::vector<std::size_t>;

Positions positions_of(Axis axis, const MetricsLayout& from, const MetricsLayout& to) {
    Positions positions;
    for (std::size_t i = 0; i < from.size_of(axis); ++i) {
        std::size_t position = 0;
        while (position < to.size_of(axis) && to.values_of(axis, position) != from.values_of(axis, i))
            ++position;
        positions.push_back(position);
    }
    return positions;
}

bool is_counted(MetricKind kind) {
    return kind == MetricKind::kCounter || kind == MetricKind::kLive || kind == MetricKind::kHistogram;
}

}  // namespace

CellMap::CellMap(const MetricsLayout& from, const MetricsLayout& to) : target_(from.cells(), kNowhere) {
    std::array<Positions, conf::kAxes.size()> positions;
    for (std::size_t i = 0; i < positions.size(); ++i)
        positions[i] = positions_of(static_cast<Axis>(i), from, to);
    for (std::size_t i = 0; i < conf::kMetrics.size(); ++i) {
        const auto metric = static_cast<Metric>(i);
        const conf::MetricRow& row = conf::row_of(metric);
        if (!is_counted(row.kind)) continue;
        const std::size_t stride = MetricsLayout::stride_of(row);
        for (std::size_t series = 0; series < from.series_of(metric); ++series) {
            const auto position = from.positions_of(metric, series);
            std::size_t target = 0;
            bool stays = true;
            for (std::size_t j = 0; j < row.axes.size(); ++j) {
                const Axis axis = row.axes.items[j];
                const std::size_t there = positions[static_cast<std::size_t>(axis)][position[j]];
                stays = stays && there < to.size_of(axis);
                target = target * to.size_of(axis) + there;
            }
            if (!stays) continue;
            for (std::size_t cell = 0; cell < stride; ++cell) {
                target_[from.first_of(metric) + series * stride + cell] =
                    static_cast<std::uint32_t>(to.first_of(metric) + target * stride + cell);
            }
        }
    }
}

CellMap CellMap::then(const CellMap& next) const {
    std::vector<std::uint32_t> target = target_;
    for (std::uint32_t& cell : target) {
        if (cell != kNowhere) cell = next.target_[cell];
    }
    return CellMap(std::move(target));
}

void CellMap::add(std::span<const std::uint64_t> counted, std::span<std::uint64_t> sums) const {
    for (std::size_t i = 0; i < target_.size(); ++i) {
        if (target_[i] != kNowhere) sums[target_[i]] += counted[i];
    }
}

}  // namespace gatepost::observe

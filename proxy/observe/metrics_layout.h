// Where the cells of each metric lie in a worker's array, for the label sets of this process. Made once at
// start, then never changed. Any thread.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/metrics.h"

namespace gatepost::observe {

// Positions in the label sets; a type each, so that they cannot be mixed up.
enum class ListenerIndex : std::uint32_t {};
enum class MechanismIndex : std::uint32_t {};
enum class BackendIndex : std::uint32_t {};
enum class UpstreamIndex : std::uint32_t {};
enum class EndpointIndex : std::uint32_t {};
enum class CertificateIndex : std::uint32_t {};
enum class LimitIndex : std::uint32_t {};
enum class WorkerIndex : std::uint32_t {};

/// The label sets that only the configuration knows. Order gives the indices: listeners[2] is
/// ListenerIndex{2}.
struct LabelSets {
    std::vector<std::string> listeners;
    std::vector<std::string> mechanisms;  ///< those offered; all others count as "other"
    std::vector<std::string> backends;    ///< "none" is added
    std::vector<std::string> upstreams;
    struct Endpoint {
        UpstreamIndex upstream;
        std::string name;  ///< the server as configured: "mta.internal:25"
    };
    std::vector<Endpoint> endpoints;  ///< of all upstreams, in one list
    std::vector<std::string> certificates;
    std::vector<std::string> limits{};  ///< names of the rules
    std::string limit_store = "memory";
    unsigned workers = 0;
    std::string version;
    std::string revision;
    std::string tls_library;
};

class MetricsLayout {
  public:
    explicit MetricsLayout(LabelSets labels);

    [[nodiscard]] const LabelSets& labels() const noexcept { return labels_; }
    [[nodiscard]] std::size_t cells() const noexcept { return cells_; }
    [[nodiscard]] std::size_t size_of(conf::Axis axis) const noexcept {
        return axis_size_[static_cast<std::size_t>(axis)];
    }
    [[nodiscard]] std::size_t first_of(conf::Metric metric) const noexcept {
        return first_[static_cast<std::size_t>(metric)];
    }
    /// The texts of an axis' labels at `index`, in the order of its row; valid as long as the layout.
    [[nodiscard]] std::vector<std::string_view> values_of(conf::Axis axis, std::size_t index) const;
    [[nodiscard]] std::size_t series_of(conf::Metric metric) const noexcept;
    /// Of the series of that number, its position on each of the metric's axes.
    [[nodiscard]] std::array<std::size_t, conf::kMostAxes> positions_of(conf::Metric metric,
                                                                        std::size_t series) const noexcept;

    /// Not "none", which only AUTH commands are counted under.
    [[nodiscard]] bool is_configured(BackendIndex backend) const noexcept {
        return static_cast<std::size_t>(backend) < size_of(conf::Axis::configured_backend);
    }
    [[nodiscard]] UpstreamIndex upstream_of(EndpointIndex endpoint) const noexcept {
        return labels_.endpoints[static_cast<std::size_t>(endpoint)].upstream;
    }

    /// Cells that one series takes: 1, or for a histogram its buckets, the one above them, and the sum.
    [[nodiscard]] static constexpr std::size_t stride_of(const conf::MetricRow& row) {
        return row.kind == conf::MetricKind::kHistogram ? row.buckets.size() + 2 : 1;
    }

    /// The first cell of the series of `kMetric` at these positions, one for each of its axes.
    template <conf::Metric kMetric, typename... Index>
    [[nodiscard]] std::size_t cell_of(Index... index) const noexcept {
        constexpr const conf::MetricRow& kRow = conf::row_of(kMetric);
        static_assert(sizeof...(Index) == kRow.axes.size(), "one position for each axis");
        std::size_t series = 0;
        std::size_t axis = 0;
        [[maybe_unused]] const auto step = [&](std::size_t position) {
            const std::size_t size = size_of(kRow.axes.items[axis++]);
            assert(position < size);
            series = series * size + position;
        };
        (step(static_cast<std::size_t>(index)), ...);
        return first_of(kMetric) + series * stride_of(kRow);
    }

  private:
    LabelSets labels_;
    std::vector<std::string> workers_;
    std::array<std::size_t, conf::kAxes.size()> axis_size_{};
    std::array<std::size_t, conf::kMetrics.size()> first_{};
    std::size_t cells_ = 0;
};

}  // namespace gatepost::observe

// Where what was counted under one set of labels goes on under another: by the texts of all labels of a
// series. Made once for each reload of the configuration, then never changed. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/observe/metrics_layout.h"

namespace gatepost::observe {

class CellMap {
  public:
    /// Of what is counted (kCounter, kLive, kHistogram): gauges that are set, and series whose labels are no
    /// more, lead nowhere.
    CellMap(const MetricsLayout& from, const MetricsLayout& to);

    /// From where this one begins to where `next` leads.
    [[nodiscard]] CellMap then(const CellMap& next) const;

    /// `counted` is of the older layout, `sums` of the newer one.
    void add(std::span<const std::uint64_t> counted, std::span<std::uint64_t> sums) const;

  private:
    static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

    explicit CellMap(std::vector<std::uint32_t> target) : target_(std::move(target)) {}

    std::vector<std::uint32_t> target_;  ///< by cell of the older layout
};

}  // namespace gatepost::observe

// Which server is tried first, which next. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

enum class Balance : std::uint8_t {
    kLeastConnections,  ///< that sessions hold, over all workers
    kRoundRobin,
    kFirstHealthy,  ///< in the order of the configuration: the others are for when it is not
};

class Balancer {
  public:
    explicit Balancer(Balance balance) : balance_(balance) {}

    /// Indices of all servers of `snapshot`, in the order in which to try them: healthy ones before others.
    /// Each call is one choice, for round robin.
    [[nodiscard]] std::vector<std::size_t> order(const Snapshot& snapshot);

  private:
    Balance balance_;
    std::size_t turn_ = 0;
};

}  // namespace gatepost::upstream

// How many processors this process may really use.
#pragma once

namespace gatepost::server {

/// The affinity mask's count, or less where a cgroup quota (v1 or v2) allows less; at least 1.
[[nodiscard]] unsigned usable_cpus();

}  // namespace gatepost::server

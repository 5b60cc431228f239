// `gatepost metrics --markdown`: the reference page of all metrics, for docs/metrics.md. Reads no
// configuration. Main thread.
#pragma once

#include <iosfwd>

namespace gatepost::commands {

/// Exit status: 0, or 1 when `out` took not all of it.
[[nodiscard]] int metrics_markdown(std::ostream& out);

}  // namespace gatepost::commands

// docs/metrics.md, generated from conf/metrics.h so that it cannot say anything else. Any thread.
#pragma once

#include <string>

namespace gatepost::observe {

/// The whole page, with a line end at its end.
[[nodiscard]] std::string metrics_markdown();

}  // namespace gatepost::observe

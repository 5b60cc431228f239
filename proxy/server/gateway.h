// The program as a whole while it serves: listeners, workers, background work, signals, drain. Main thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/server/plan.h"

namespace gatepost::server {

enum class Exit { kFine = 0, kBadConfiguration = 1, kCouldNotStart = 3 };

/// Serves until a signal ends it. What went wrong is in the log, or where no log could be made on standard
/// error.
[[nodiscard]] Exit serve(const std::shared_ptr<const Plan>& plan);

}  // namespace gatepost::server

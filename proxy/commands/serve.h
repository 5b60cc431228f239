// `gatepost serve`: runs in the foreground until a signal ends it. Main thread.
#pragma once

#include <ostream>
#include <string>

#include "proxy/commands/check.h"

namespace gatepost::commands {

/// 0 after a drain, 1 for a bad configuration (every problem on `err`), 3 when it could not start.
[[nodiscard]] int serve(const std::string& path, std::ostream& err);

/// What serve would find wrong beyond the file itself, without opening a port.
[[nodiscard]] DeepCheck deep_check();

}  // namespace gatepost::commands

// `gatepost serve`: runs in the foreground until a signal ends it. Main thread.
#pragma once

#include <ostream>
#include <string>

namespace gatepost::commands {

/// 0 after a drain, 1 for a bad configuration (every problem on `err`), 3 when it could not start.
[[nodiscard]] int serve(const std::string& path, std::ostream& err);

}  // namespace gatepost::commands

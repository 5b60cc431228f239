// `gatepost check`: is this configuration fine, and what does it come to. Opens no port and changes nothing.
// Main thread.
#pragma once

#include <ostream>
#include <string>

#include "conf/loader.h"

namespace gatepost::commands {

/// 0 and one line, or with `wants_dump` the effective configuration, on `out`; 1 and every problem on `err`.
[[nodiscard]] int check(const std::string& path, bool wants_dump, std::ostream& out, std::ostream& err,
                        const conf::DeepCheck& look_deeper = {});

}  // namespace gatepost::commands

// `gatepost check`: is this configuration fine, and what does it come to. Opens no port and changes nothing.
// Main thread.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::commands {

/// What only the parts themselves can tell (certificates, records), asked once the configuration has loaded.
using DeepCheck = std::function<std::vector<conf::Problem>(const conf::Config&)>;

/// 0 and one line, or with `wants_dump` the effective configuration, on `out`; 1 and every problem on `err`.
[[nodiscard]] int check(const std::string& path, bool wants_dump, std::ostream& out, std::ostream& err,
                        const DeepCheck& look_deeper = {});

}  // namespace gatepost::commands

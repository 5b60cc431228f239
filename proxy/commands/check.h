// `gatepost check`: is this configuration fine, and what does it come to. Opens no port and changes nothing.
// Main thread.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/loader.h"

namespace gatepost::commands {

/// What is not wrong and yet worth knowing.
using Notes = std::function<std::vector<std::string>(const conf::Config&)>;

/// 0 and one line, or with `wants_dump` the effective configuration, on `out` and every note on `err`;
/// 1 and every problem on `err`.
[[nodiscard]] int check(const std::string& path, bool wants_dump, std::ostream& out, std::ostream& err,
                        const conf::DeepCheck& look_deeper = {}, const Notes& notes = {});

}  // namespace gatepost::commands

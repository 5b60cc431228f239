// `gatepost version`: what this binary was built from and runs with. Any thread.
#pragma once

#include <ostream>

namespace gatepost::commands {

[[nodiscard]] int version(std::ostream& out);

}  // namespace gatepost::commands

// `gatepost hash`: a password on standard input, its record on standard output. Main thread.
#pragma once

#include <ostream>
#include <string>

namespace gatepost::commands {

/// Prints the record as it stands in a users file ("\:" and "\\" for ":" and "\"). `scheme`: its name in any
/// case; "" = the default. `input`: the descriptor the password comes from. Exit status: 0; 1 for a password
/// that cannot be; 2 for an unknown scheme.
[[nodiscard]] int hash(const std::string& scheme, int input, std::ostream& out, std::ostream& err);

}  // namespace gatepost::commands

// How a command is given a password: a prompt without echo on a terminal, else standard input; never an
// argument, which every user of the machine could read. Main thread; blocks.
#pragma once

#include <ostream>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::commands {

/// Reads one password from `fd`. On a terminal the prompt goes to `err`, and with `confirm` the password is
/// asked for twice. Only the line end is taken off: blanks belong to the password.
[[nodiscard]] Result<Secret> read_password(int fd, bool confirm, std::ostream& err);

}  // namespace gatepost::commands

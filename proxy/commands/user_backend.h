// Which users file the `user` commands work on: what --config and --backend name. Main thread.
#pragma once

#include <expected>
#include <ostream>
#include <string>

namespace gatepost::commands {

/// The path of the users file of `backend`, a key under `backends:` of the configuration file `config`; "" =
/// the first of auth.backends. The file need not be there yet. Or the exit status, said on `err`: 1 for a
/// configuration with errors, 2 for a backend that is not there or of another type.
[[nodiscard]] std::expected<std::string, int> users_file_of(const std::string& config,
                                                            const std::string& backend, std::ostream& err);

}  // namespace gatepost::commands

// Whose users the `user` commands work on: what --config and --backend name. Main thread.
#pragma once

#include <expected>
#include <memory>
#include <ostream>
#include <string>

#include "auth/dialogue/user_directory.h"
#include "conf/config.h"

namespace gatepost::commands {

struct OpenedUsers {
    std::shared_ptr<const conf::Config> config;
    std::unique_ptr<auth::UserDirectory> users;
};

/// The users of `backend`, a key under `backends:` of the configuration file `config`; "" = the one backend
/// of auth.backends (or, where it names none, of all) that holds users of ours. A users file need not be
/// there yet. Or the exit status, said on `err`: 1 for a configuration with errors, 2 for a backend that is
/// not there, is not ours to write, or could be several.
[[nodiscard]] std::expected<OpenedUsers, int> open_users(const std::string& config,
                                                         const std::string& backend, std::ostream& err);

}  // namespace gatepost::commands

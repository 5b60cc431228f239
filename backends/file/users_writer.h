// Changes users of a users file, whole or not at all: a new file beside it, synced, renamed over it;
// comments, order, mode and owner kept, writers one after the other. For commands; blocks.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "auth/dialogue/user_directory.h"

namespace gatepost::backends {

/// See UserDirectory::write(): all of `changes` in one write, or none. New users come at the end. A file that
/// does not exist is made, readable by its owner only.
[[nodiscard]] auth::FromDirectory<std::size_t> write_users(const std::string& path,
                                                           std::span<const auth::UserChange> changes);

/// Takes the user's line out. false: there was none, and the file is untouched.
[[nodiscard]] auth::FromDirectory<bool> delete_user(const std::string& path, std::string_view name);

}  // namespace gatepost::backends

// Changes one user of a users file, whole or not at all: a new file beside it, synced, renamed over it;
// comments, order, mode and owner kept, writers one after the other. For commands; blocks.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

/// Puts `record` (unescaped) in place of the user's, keeping what stands behind it, or adds the user at the
/// end. A file that does not exist is made, readable by its owner only. true: the user was there before.
[[nodiscard]] Result<bool> set_user(const std::string& path, std::string_view name, const Secret& record);

/// Takes the user's line out. false: there was none, and the file is untouched.
[[nodiscard]] Result<bool> delete_user(const std::string& path, std::string_view name);

}  // namespace gatepost::backends

// Who is left out: of which mechanism, which an operator wants to know before and after it is taken out of
// the offer because of them (decisions.md 12), or altogether. Any thread.
#pragma once

#include <string>
#include <vector>

#include "backends/file/users_file.h"
#include "conf/config.h"

namespace gatepost::server {

/// "backends.NAME: 12 of 340 users cannot use SCRAM-SHA-256, so it is not offered", for each of `mechanisms`
/// that some enabled users cannot use.
[[nodiscard]] std::vector<std::string> unservable_notes(const std::string& backend,
                                                        const backends::UsersFile& users,
                                                        const std::vector<std::string>& mechanisms);

/// The same for every users file in use, and auxprop_notes(); reads the files, so it blocks. Files that
/// cannot be read are passed over: they are errors, and reported as such.
[[nodiscard]] std::vector<std::string> unservable_notes(const conf::Config& config);

}  // namespace gatepost::server

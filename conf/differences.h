// What a new configuration changes: for a reload, which keeps some things as they are and watches the files
// that the configuration names. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// Whether the key at `path` and all below it are worth the same, as far as can be seen: what a secret file
/// holds cannot.
[[nodiscard]] bool same_settings(const Config& before, const Config& after, std::string_view path);

/// A note for each key that is changed and will be, in `after`'s file, only by a restart.
[[nodiscard]] std::vector<Problem> needs_restart(const Config& before, const Config& after);

/// The files that the configuration names and that are read once, when it is loaded: certificates, keys, CAs,
/// secrets. Users files and passwords of backends are not among them: backends look after them. Sorted, each
/// once.
[[nodiscard]] std::vector<std::string> files_of(const Config& config);

}  // namespace gatepost::conf

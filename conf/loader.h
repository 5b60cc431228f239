// A file into a Config, or everything that is wrong with it at once. Knows nothing of certificates and
// records: whoever uses them looks at them in a DeepCheck. Any thread; may block on files.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/environment.h"
#include "conf/problem.h"
#include "proxy/base/result.h"

namespace gatepost::conf {

/// Whether the files that the configuration names must be there. Files of secrets are read either way.
enum class Files { MustExist, MayBeMissing };

/// Looks at what only the parts themselves can tell. Asked even when something else is wrong, so that
/// everything is told at once: what was wrong then stands at its default or is empty.
using DeepCheck = std::function<std::vector<Problem>(const Config&)>;

using Loaded = std::expected<std::shared_ptr<const Config>, std::vector<Problem>>;

/// Problems are in the order of the file and never empty. Relative paths are relative to the working
/// directory.
[[nodiscard]] Loaded load(const std::string& path, const Environment& environment,
                          Files files = Files::MustExist, const DeepCheck& look_deeper = {});

/// The same for text that is already here; `file` is what problems call it.
[[nodiscard]] Loaded load_text(const std::string& text, const std::string& file,
                               const Environment& environment, Files files = Files::MustExist,
                               const DeepCheck& look_deeper = {});

/// Where the running Gatepost can be asked.
struct AdminPlace {
    std::string socket;   ///< "" = none
    std::string address;  ///< "" = off
};

/// As written in the file, or by default; nothing else of it is looked at, because the operator's commands
/// are needed most when something there is wrong. The error says why these two cannot be told.
[[nodiscard]] Result<AdminPlace> load_admin_place(const std::string& path, const Environment& environment);

}  // namespace gatepost::conf

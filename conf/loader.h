// A file into a Config, or everything that is wrong with it at once. Never looks into certificates, records
// or the network: that is done by whoever uses them, who can name the place by Config::where(). Any thread;
// may block on files.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/environment.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// Whether the files that the configuration names must be there. Files of secrets are read either way.
enum class Files { MustExist, MayBeMissing };

using Loaded = std::expected<std::shared_ptr<const Config>, std::vector<Problem>>;

/// Problems are in the order of the file and never empty. Relative paths are relative to the working
/// directory.
[[nodiscard]] Loaded load(const std::string& path, const Environment& environment,
                          Files files = Files::MustExist);

/// The same for text that is already here; `file` is what problems call it.
[[nodiscard]] Loaded load_text(const std::string& text, const std::string& file,
                               const Environment& environment, Files files = Files::MustExist);

}  // namespace gatepost::conf

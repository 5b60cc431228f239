// The few things that the loader asks of the file system. Any thread; may block.
#pragma once

#include <cstddef>
#include <string>

#include "conf/config.h"
#include "proxy/base/result.h"

namespace gatepost::conf {

/// The whole file, of at most `limit` octets. The error names `path` and the reason.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit);

/// The contents without the one line end behind them; an empty file is an error.
[[nodiscard]] Result<SharedSecret> read_secret_file(const std::string& path);

/// The error says why `path` cannot be read as a file.
[[nodiscard]] Result<void> must_be_readable(const std::string& path);

}  // namespace gatepost::conf

// Reads a small file that may hold a secret, leaving no copy behind that is not wiped. Blocks. Any thread.
#pragma once

#include <string>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::net {

/// At most 1 MiB. The error is a reason without the path ("No such file or directory").
[[nodiscard]] Result<Secret> read_secret_file(const std::string& path);

}  // namespace gatepost::net

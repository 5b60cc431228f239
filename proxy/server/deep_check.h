// What is wrong with a configuration that only the parts themselves can tell: certificates, keys, ciphers,
// users files, the URLs of Redis. Opens no port. Any thread; blocks on files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::server {

/// Everything at once, each thing at its own key; empty = fine. A value that was wrong already stands in
/// `config` at its default or is empty, and is passed over.
[[nodiscard]] std::vector<conf::Problem> deep_problems(const conf::Config& config);

/// A problem at the key `path`, or at the nearest enclosing key that was written.
[[nodiscard]] conf::Problem problem_at(const conf::Config& config, std::string_view path,
                                       std::string_view message);

}  // namespace gatepost::server

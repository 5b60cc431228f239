// What the keys of `limits`, `limit_store` and `policy` say together: rules that could never hold, numbers
// without a meaning, patterns that match nothing. Any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// `bad` are the paths that have a problem already: nothing more is said about them.
void check_limit_contradictions(const Config& config, const std::set<std::string, std::less<>>& bad,
                                std::vector<Problem>& problems);

}  // namespace gatepost::conf

// What two keys say together: names that must exist, listeners that would be open relays, things that can
// never work. Also gives the few defaults that depend on another key. Any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// `bad` are the paths that have a problem already: nothing more is said about them.
void check_contradictions(Config& config, const std::set<std::string, std::less<>>& bad,
                          std::vector<Problem>& problems);

}  // namespace gatepost::conf

// `gatepost limits list|show|reset`: asks the running Gatepost over its admin socket. Main thread; blocks.
#pragma once

#include <ostream>
#include <string>

#include "proxy/commands/admin_target.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace gatepost::commands {

struct LimitsQuery {
    AdminTarget target;
    std::string key;  ///< or the beginning of keys; "" = all
    bool is_json = false;
};

// Exit status of all: 0 fine; 1 nothing is counted under that key; 2 wrong usage: no admin.socket is
// configured; 3 the running Gatepost cannot be reached, or does not allow it.

/// A table, or an array of objects.
[[nodiscard]] int limits_list(const LimitsQuery& query, std::ostream& out, std::ostream& err);
[[nodiscard]] int limits_show(const LimitsQuery& query, std::ostream& out, std::ostream& err);
[[nodiscard]] int limits_reset(const LimitsQuery& query, std::ostream& out, std::ostream& err);

/// Adds `limits` to `app`. The exit status of the one that ran goes to `status`, which outlives the parsing.
void add_limits_commands(CLI::App& app, int& status);

}  // namespace gatepost::commands

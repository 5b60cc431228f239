// Where the running Gatepost is asked, for the commands that do so, and asking it there. Blocks.
#pragma once

#include <expected>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"

namespace gatepost::commands {

/// Exit status of all commands that ask the running Gatepost, besides 0.
inline constexpr int kRefusedThere = 1;  ///< what was asked for cannot be
inline constexpr int kWrongUsage = 2;    ///< or no admin.socket is configured
inline constexpr int kCannotReach = 3;   ///< nobody answers there, or not this user

struct AdminTarget {
    std::string config;  ///< of which only the keys of `admin` matter: the rest may be wrong
    std::string
        admin;  ///< "unix:/run/gatepost/admin.sock"; for the status "127.0.0.1:9587" too; "" = as configured
};

inline constexpr Duration kPatience = std::chrono::seconds(30);
inline constexpr Duration kForEver{};

/// The text of the answer to `words`, or the exit status, said on `err` in the name of words[0].
[[nodiscard]] std::expected<std::string, int> ask_running(const AdminTarget& target,
                                                          const std::vector<std::string>& words,
                                                          std::ostream& err, Duration patience = kPatience);

/// The same of /status.json, over HTTP where that is what the target has.
[[nodiscard]] std::expected<std::string, int> ask_status(const AdminTarget& target, std::ostream& err);

/// Lines without their ends.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

/// "90 s", from a column of seconds; what is no number stays as it is.
[[nodiscard]] std::string readable_seconds(const std::string& seconds);

}  // namespace gatepost::commands

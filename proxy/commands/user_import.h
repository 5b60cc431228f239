// `gatepost user import`: the users of another program into a directory of ours. Main thread; blocks, and
// hashes every password that it finds in clear.
#pragma once

#include <ostream>
#include <string>

#include "auth/dialogue/user_directory.h"

namespace gatepost::commands {

struct ImportSettings {
    std::string format{};    ///< dovecot, htpasswd or sasldb
    std::string scheme{};    ///< of passwords that are found in clear; "" = the default
    std::string realm{};     ///< of sasldb: its users lose their "@realm"
    bool replaces = false;   ///< users who are there get the record of the file; their attributes stay
    bool skips_bad = false;  ///< what cannot be imported is left out, instead of nothing being imported
};

/// Reads `file` ("-" = the descriptor `input`). Nothing is written while anything is wrong, unless
/// `skips_bad`; everything wrong is said on `err` with its line. Exit status as of the other user commands.
[[nodiscard]] int user_import(auth::UserDirectory& users, const ImportSettings& settings,
                              const std::string& file, int input, std::ostream& out, std::ostream& err);

}  // namespace gatepost::commands

// `gatepost user set|list|delete|verify|show` on a directory of users. Never prints a password or a record,
// never takes one as an argument. Main thread; blocks.
#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "auth/dialogue/user_directory.h"

namespace gatepost::commands {

// Exit status of all: 0 fine; 1 what was asked about is wrong (no such user, wrong password, a password that
// cannot be, a users file with errors, each named by its line on `err`); 2 wrong usage; 3 the directory
// cannot be read or written.

/// What `user set` is told beside the name.
struct UserSettings {
    std::string scheme;                                            ///< "" = the default
    std::map<std::string, std::optional<std::string>> attributes;  ///< nothing = taken out
    bool keeps_password = false;  ///< neither asks for one nor reads one; the user must be there
};

/// Makes or changes the user. The password comes from the descriptor `input`, twice on a terminal. Of a user
/// who is there and whose attributes alone are named it stays, unless `input` is no terminal and holds one.
[[nodiscard]] int user_set(auth::UserDirectory& users, const std::string& name, const UserSettings& settings,
                           int input, std::ostream& out, std::ostream& err);

/// One user a line, sorted: name, scheme and cost, "disabled" where it is; tabs between.
[[nodiscard]] int user_list(auth::UserDirectory& users, std::ostream& out, std::ostream& err);

[[nodiscard]] int user_delete(auth::UserDirectory& users, const std::string& name, std::ostream& out,
                              std::ostream& err);

/// Reads a password from `input` and says whether it would be accepted.
[[nodiscard]] int user_verify(auth::UserDirectory& users, const std::string& name, int input,
                              std::ostream& out, std::ostream& err);

/// Name, scheme and cost, and attributes of one user.
[[nodiscard]] int user_show(auth::UserDirectory& users, const std::string& name, std::ostream& out,
                            std::ostream& err);

/// An attribute's name as the command line may spell it ("limit-class") as it is stored; nothing when there
/// is none of that name.
[[nodiscard]] std::optional<std::string> attribute_name(std::string_view spelled);

/// The status that goes with `error`, which is said on `err`.
[[nodiscard]] int say(std::ostream& err, std::string_view command, const auth::DirectoryError& error);

}  // namespace gatepost::commands

// `gatepost user set|list|delete|verify|show` on a users file. Never prints a password or a record, never
// takes one as an argument. Main thread; blocks.
#pragma once

#include <ostream>
#include <string>

namespace gatepost::commands {

// `path` is the users file of the backend that --backend names. Exit status of all: 0 fine; 1 what was asked
// about is wrong (no such user, wrong password, a password that cannot be, a users file with errors, each
// named by its line on `err`); 2 wrong usage; 3 the file cannot be read or written.

/// Reads a password from the descriptor `input` (twice on a terminal) and makes or changes the user. `scheme`
/// "" = the default.
[[nodiscard]] int user_set(const std::string& path, const std::string& name, const std::string& scheme,
                           int input, std::ostream& out, std::ostream& err);

/// One user a line: name, scheme and cost, "disabled" where it is; tabs between.
[[nodiscard]] int user_list(const std::string& path, std::ostream& out, std::ostream& err);

[[nodiscard]] int user_delete(const std::string& path, const std::string& name, std::ostream& out,
                              std::ostream& err);

/// Reads a password from `input` and says whether it would be accepted.
[[nodiscard]] int user_verify(const std::string& path, const std::string& name, int input, std::ostream& out,
                              std::ostream& err);

/// Name, scheme and cost, and attributes of one user.
[[nodiscard]] int user_show(const std::string& path, const std::string& name, std::ostream& out,
                            std::ostream& err);

}  // namespace gatepost::commands

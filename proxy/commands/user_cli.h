// The command line of `gatepost user …` and `gatepost auth test`: options into calls, and nothing else. Main
// thread.
#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace gatepost::commands {

/// Adds `user` to `app`. The exit status of the one that ran goes to `status`, which outlives the parsing.
void add_user_commands(CLI::App& app, int& status);

/// The same for `auth`.
void add_auth_commands(CLI::App& app, int& status);

}  // namespace gatepost::commands

// The command line of the commands that ask the running Gatepost: options into calls, and nothing else. Main
// thread.
#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace gatepost::commands {

/// Adds `status`, `who`, `kick`, `drain`, `reload`, `bans` and `log` to `app`. The exit status of the one
/// that ran goes to `status`, which outlives the parsing.
void add_operate_commands(CLI::App& app, int& status);

}  // namespace gatepost::commands

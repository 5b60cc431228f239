// `gatepost explain`: what would become of a message, and by which rules, without sending one. Asks for the
// user's record and for the counts, and counts nothing. Main thread; blocks.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace gatepost::commands {

struct Explain {
    std::string config;
    std::string user;     ///< "" = does not log in
    std::string address;  ///< of the client
    std::string sender;   ///< "" or "<>" = the null sender
    std::string recipient;
    std::string listener;    ///< "" = each
    std::uint64_t size = 0;  ///< octets; 0 = not declared
};

/// Exit status: 0 accepted, on every listener that was looked at; 1 refused, or a configuration with errors;
/// 2 wrong usage; 3 a backend cannot be opened.
[[nodiscard]] int explain(const Explain& what, std::ostream& out, std::ostream& err);

/// Adds `explain` to `app`. The exit status goes to `status`, which outlives the parsing.
void add_explain_command(CLI::App& app, int& status);

}  // namespace gatepost::commands

// `gatepost auth test`: logs in to the configured backends as a client would, and shows each step. Main
// thread; blocks.
#pragma once

#include <ostream>
#include <string>

namespace gatepost::commands {

struct AuthTest {
    std::string config;
    std::string user;
    std::string mechanism;  ///< any case; "" = PLAIN where that is offered, else the first that is
    std::string address;    ///< an IP address, for which the rules against guessing are shown; "" = none
};

/// Reads the password from the descriptor `input`, and writes the trace to `out`. No listener and no upstream
/// is touched, and nothing is counted. Exit status: 0 accepted; 1 refused, or a configuration with errors; 2
/// wrong usage; 3 somebody who must be asked cannot answer.
[[nodiscard]] int auth_test(const AuthTest& test, int input, std::ostream& out, std::ostream& err);

}  // namespace gatepost::commands

// Asks a running Gatepost over its admin socket or its admin HTTP. For commands: blocks, within a given time.
// Any thread.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "proxy/base/clock.h"

namespace gatepost::observe {

struct AdminFailure {
    enum class Kind {
        kRefused,      ///< it answered: what was asked for cannot be
        kUnreachable,  ///< nobody answers there, or not in time
        kNotAllowed,   ///< it answers others only
    };
    Kind kind = Kind::kUnreachable;
    std::string message;  ///< a sentence for the operator
};

/// The text of the answer. `words` begin with the command's name. A `timeout` of zero waits for ever.
[[nodiscard]] std::expected<std::string, AdminFailure> ask_admin(const std::string& path,
                                                                 const std::vector<std::string>& words,
                                                                 Duration timeout);

/// The body of what `address` ("127.0.0.1:9587", "localhost:9587") answers to GET `path` with 200.
[[nodiscard]] std::expected<std::string, AdminFailure> fetch_admin(const std::string& address,
                                                                   const std::string& path, Duration timeout);

}  // namespace gatepost::observe

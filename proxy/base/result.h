// Errors are values: std::expected, and the one error type of code that talks to people. Any thread.
#pragma once

#include <expected>
#include <string>

namespace gatepost {

/// A sentence for an operator: what is wrong and, where it helps, what was expected. Never holds a secret.
struct Error {
    std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
    return std::unexpected(Error{std::move(message)});
}

}  // namespace gatepost

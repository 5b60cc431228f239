// One thing that is wrong with a configuration, and where. Never holds a secret. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace gatepost::conf {

/// Line and column count from 1.
struct Problem {
    std::string file;
    std::size_t line = 1;
    std::size_t column = 1;
    std::string message;

    /// file:line:column: message
    [[nodiscard]] std::string text() const {
        return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message;
    }
    bool operator==(const Problem&) const = default;
};

}  // namespace gatepost::conf

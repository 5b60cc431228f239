// Columns that line up on a terminal, and the same as JSON. Any thread.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatepost::commands {

struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
};

/// The parts of `line` between tabs.
[[nodiscard]] std::vector<std::string> split_tabs(std::string_view line);

/// Numbers are set to the right, the last column is not padded.
void print(const Table& table, std::ostream& out);

/// `text` as a JSON string, whatever it looks like.
[[nodiscard]] std::string json_string(std::string_view text);

/// `text` as a JSON string, or as it stands when it is a whole number; "-" is null.
[[nodiscard]] std::string json_value(std::string_view text);

/// One object, in the order given.
[[nodiscard]] std::string json_object(const std::vector<std::pair<std::string, std::string>>& members);

}  // namespace gatepost::commands

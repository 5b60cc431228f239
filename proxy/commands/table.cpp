#include "proxy/commands/table.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace gatepost::commands {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 19 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// As a terminal shows it: octets that go on a character of UTF-8 take no place.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_of_numbers(const Table& table, std::size_t column) {
    return std::ranges::any_of(table.rows, [&](const auto& row) { return is_number(row[column]); });
}

}  // namespace

std::vector<std::string> split_tabs(std::string_view line) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= line.size();) {
        const std::size_t to = std::min(line.find('\t', from), line.size());
        parts.emplace_back(line.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

void print(const Table& table, std::ostream& out) {
    std::vector<std::size_t> widths(table.columns.size());
    std::vector<bool> is_to_the_right(table.columns.size());
    const auto print_row = [&](const std::vector<std::string>& row) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            const std::string padding(widths[column] - width_of(row[column]), ' ');
            const bool is_last = column + 1 == row.size();
            if (is_to_the_right[column]) {
                out << padding << row[column];
            } else {
                out << row[column] << (is_last ? "" : padding);
            }
            out << (is_last ? "\n" : "  ");
        }
    };
    for (std::size_t column = 0; column < widths.size(); ++column) {
        is_to_the_right[column] = is_of_numbers(table, column);
        widths[column] = width_of(table.columns[column]);
        for (const auto& row : table.rows) widths[column] = std::max(widths[column], width_of(row[column]));
    }
    print_row(table.columns);
    for (const auto& row : table.rows) print_row(row);
}

std::string json_string(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            std::array<char, 8> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
            quoted += escaped.data();
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

std::string json_value(std::string_view text) {
    if (text == "-") return "null";
    if (text == "true" || text == "false" || is_number(text)) return std::string(text);
    return json_string(text);
}

std::string json_object(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string text = "{";
    for (const auto& [name, value] : members)
        text += (text.size() > 1 ? ", " : "") + json_value(name) + ": " + json_value(value);
    return text + "}";
}

}  // namespace gatepost::commands

#include "proxy/observe/log_line.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "proxy/base/printable.h"

namespace gatepost::observe {
namespace {

constexpr std::size_t kLongestText = 256;

/// What needs no quotes. "=" is never plain and never printed as itself.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (int c = '0'; c <= '9'; ++c) plain[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) plain[static_cast<std::size_t>(c)] = true;
    for (int c = 'a'; c <= 'z'; ++c) plain[static_cast<std::size_t>(c)] = true;
    for (const char c : std::string_view("._-:/@+,<>[]")) plain[static_cast<unsigned char>(c)] = true;
    return plain;
}();

template <typename Number>
void append_number(std::string& line, Number number) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    line.append(digits.data(), end);
}

/// Seconds with three decimals.
void append_seconds(std::string& line, std::int64_t microseconds) {
    std::int64_t milliseconds = microseconds / 1000;
    if (milliseconds < 0) {
        line += '-';
        milliseconds = -milliseconds;
    }
    append_number(line, milliseconds / 1000);
    line += '.';
    const std::int64_t rest = milliseconds % 1000;
    if (rest < 100) line += '0';
    if (rest < 10) line += '0';
    append_number(line, rest);
}

void append_text(std::string& line, std::string_view text) {
    const auto is_plain = [](char c) { return kPlain[static_cast<unsigned char>(c)]; };
    if (!text.empty() && text.size() <= kLongestText && std::ranges::all_of(text, is_plain)) {
        line += text;
        return;
    }
    line += '"';
    for (const char c : printable(text, kLongestText)) {
        if (c == '=') {
            line += "\\x3d";
        } else {
            line += c;
        }
    }
    line += '"';
}

}  // namespace

void LogLine::append_value(std::string& line, const LogValue& value) {
    switch (value.kind_) {
        case LogValue::Kind::kText: append_text(line, value.text_); break;
        case LogValue::Kind::kNumber: append_number(line, value.number_); break;
        case LogValue::Kind::kCount: append_number(line, value.count_); break;
        case LogValue::Kind::kDuration: append_seconds(line, value.number_); break;
    }
}

void LogLine::append(std::string& line, conf::LogEvent event, std::initializer_list<LogPair> fields) {
    line += conf::row_of(event).name;
    for (const LogPair& pair : fields) {
        assert(conf::may_carry(event, pair.field));
        // An empty text says nothing, but for the null sender.
        if (pair.value.is_empty_text() && pair.field != conf::LogField::from) continue;
        line += ' ';
        line += conf::row_of(pair.field).key;
        line += '=';
        append_value(line, pair.value);
    }
}

}  // namespace gatepost::observe

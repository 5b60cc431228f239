#include "proxy/observe/log_line.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "proxy/base/printable.h"
#include "proxy/observe/log_escape.h"

namespace gatepost::observe {
namespace {

using conf::LogFieldKind;
using conf::LogFormat;

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

void append_printable(std::string& line, std::string_view text) {
    for (const char c : printable(text, kLongestText)) {
        if (c == '=') {
            line += "\\x3d";
        } else {
            line += c;
        }
    }
}

void append_text(std::string& line, LogFormat format, std::string_view text) {
    const auto is_plain = [](char c) { return kPlain[static_cast<unsigned char>(c)]; };
    const bool all_plain = text.size() <= kLongestText && std::ranges::all_of(text, is_plain);
    if (all_plain && !text.empty() && format != LogFormat::Json) {
        line += text;
        return;
    }
    line += '"';
    if (all_plain) {
        line += text;
    } else if (format == LogFormat::Text) {
        append_printable(line, text);
    } else {
        append_escaped(line, text, kLongestText, format == LogFormat::Logfmt ? "=" : "");
    }
    line += '"';
}

}  // namespace

void LogLine::append_value(std::string& line, LogFormat format, const LogValue& value) {
    switch (value.kind_) {
        case LogFieldKind::kText: append_text(line, format, value.text_); break;
        case LogFieldKind::kTruth: line += value.number_ != 0 ? "true" : "false"; break;
        case LogFieldKind::kSeconds: append_seconds(line, value.number_); break;
        case LogFieldKind::kNumber:
            if (value.is_unsigned_) {
                append_number(line, value.count_);
            } else {
                append_number(line, value.number_);
            }
            break;
    }
}

void LogLine::append(std::string& line, LogFormat format, conf::LogEvent event,
                     std::initializer_list<LogPair> fields) {
    const bool is_json = format == LogFormat::Json;
    if (is_json) line += "\"event\":\"";
    if (format == LogFormat::Logfmt) line += "event=";
    line += conf::row_of(event).name;
    if (is_json) line += '"';
    for (const LogPair& pair : fields) {
        assert(conf::may_carry(event, pair.field));
        assert(conf::kind_of(pair.field) == pair.value.kind() || pair.value.is_empty_text());
        // An empty text says nothing, but for the null sender.
        if (pair.value.is_empty_text() && pair.field != conf::LogField::from) continue;
        line += is_json ? ",\"" : " ";
        line += conf::row_of(pair.field).key;
        line += is_json ? "\":" : "=";
        append_value(line, format, pair.value);
    }
}

}  // namespace gatepost::observe

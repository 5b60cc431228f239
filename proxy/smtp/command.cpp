#include "proxy/smtp/command.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/base/printable.h"

namespace gatepost::smtp {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, kVerbCount> kVerbs{{
    {"HELO", Verb::kHelo},
    {"EHLO", Verb::kEhlo},
    {"STARTTLS", Verb::kStartTls},
    {"AUTH", Verb::kAuth},
    {"MAIL", Verb::kMail},
    {"RCPT", Verb::kRcpt},
    {"DATA", Verb::kData},
    {"BDAT", Verb::kBdat},
    {"RSET", Verb::kRset},
    {"NOOP", Verb::kNoop},
    {"QUIT", Verb::kQuit},
    {"VRFY", Verb::kVrfy},
    {"EXPN", Verb::kExpn},
    {"HELP", Verb::kHelp},
    {"ETRN", Verb::kEtrn},
    {"TURN", Verb::kTurn},
    {"OTHER", Verb::kUnknown},
}};

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::string_view to_string(Verb verb) {
    return kVerbs[static_cast<std::size_t>(verb)].first;
}

bool equal_ignoring_case(ByteView left, ByteView right) {
    return std::ranges::equal(left, right, [](char a, char b) { return upper(a) == upper(b); });
}

ByteView trim(ByteView text) {
    constexpr ByteView kBlanks = " \t";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == ByteView::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

ByteView take_word(ByteView& rest) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const ByteView word = rest.substr(0, end);
    rest = trim(rest.substr(end));
    return word;
}

bool has_word(ByteView text, ByteView word) {
    for (ByteView rest = trim(text); !rest.empty();) {
        if (equal_ignoring_case(take_word(rest), word)) return true;
    }
    return false;
}

Command parse_command(ByteView line) {
    Command command;
    command.has_controls = has_controls(line);
    ByteView rest = trim(line);
    const ByteView word = take_word(rest);
    command.argument = rest;
    // "OTHER" is a label, not a verb that a client can say.
    const auto* const known = std::ranges::find_if(kVerbs, [&](const auto& row) {
        return row.second != Verb::kUnknown && equal_ignoring_case(row.first, word);
    });
    if (known != kVerbs.end()) command.verb = known->second;
    return command;
}

}  // namespace gatepost::smtp

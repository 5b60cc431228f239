// One command line → verb and argument (RFC 5321 section 4.1). Owns nothing: the argument is a view into the
// line. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

enum class Verb : std::uint8_t {
    kHelo,
    kEhlo,
    kStartTls,
    kAuth,
    kMail,
    kRcpt,
    kData,
    kBdat,
    kRset,
    kNoop,
    kQuit,
    kVrfy,
    kExpn,
    kHelp,
    kEtrn,
    kTurn,
    kUnknown,
};
inline constexpr int kVerbCount = static_cast<int>(Verb::kUnknown) + 1;

/// "EHLO", …; "OTHER" for kUnknown (a closed set, fit for a metric's label).
[[nodiscard]] std::string_view to_string(Verb verb);

struct Command {
    Verb verb = Verb::kUnknown;
    ByteView argument;          ///< without blanks at either end; may be empty
    bool has_controls = false;  ///< an octet below 0x20 or 0x7F somewhere in the line: never to be obeyed
};

/// Verbs are case-insensitive (transcripts A2); unknown ones are kUnknown.
[[nodiscard]] Command parse_command(ByteView line);

/// ASCII only, as SMTP keywords are.
[[nodiscard]] bool equal_ignoring_case(ByteView left, ByteView right);

/// Blanks and tabs off both ends.
[[nodiscard]] ByteView trim(ByteView text);

/// Takes the text up to the first blank off the front of `rest`, and the blanks behind it.
[[nodiscard]] ByteView take_word(ByteView& rest);

/// One of the blank-separated words of `text` is `word`, in any case.
[[nodiscard]] bool has_word(ByteView text, ByteView word);

}  // namespace gatepost::smtp

// What message data means, written so that it is obviously right and never mind how slow: the truth that the
// scanners of proxy/smtp are held against by tests and fuzzers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::test {

/// How a stream of message data ended and how much of it counted.
struct BodyStory {
    enum class End { kOpen, kEndMark, kRefusedOpen, kRefusedEndMark };
    End end = End::kOpen;
    std::size_t passed = 0;  ///< octets that went on
    std::size_t taken =
        0;  ///< octets used up: a new command begins behind them (end mark seen), or all passed
    bool operator==(const BodyStory&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const BodyStory& story) {
    constexpr const char* kNames[] = {"open", "end mark", "refused and open", "refused up to the end mark"};
    return out << kNames[static_cast<int>(story.end)] << ", passed " << story.passed << ", taken "
               << story.taken;
}

/// Where the first CR or LF stands that is not part of a CRLF; `octets.size()` if nowhere. A CR at the very
/// end is not known to be one.
inline std::size_t bare_newline_in(ByteView octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
        if (octets[i] == '\r' && i + 1 < octets.size() && octets[i + 1] != '\n') return i;
        if (octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r')) return i;
    }
    return octets.size();
}

/// Marked data (DATA): only CRLF.CRLF ends it, the CRLF in front of which may be the one of the DATA command.
inline BodyStory data_story(ByteView octets) {
    const std::string with_command = "\r\n" + std::string(octets);
    const std::size_t mark = with_command.find("\r\n.\r\n");
    const std::size_t end = mark == std::string::npos ? mark : mark + 3;
    const std::size_t bare = bare_newline_in(octets);
    if (end != std::string::npos && end <= bare) return {BodyStory::End::kEndMark, end, end};
    if (bare < octets.size()) {
        if (end == std::string::npos) return {BodyStory::End::kRefusedOpen, bare, octets.size()};
        return {BodyStory::End::kRefusedEndMark, bare, end};
    }
    const std::size_t passed = octets.ends_with('\r') ? octets.size() - 1 : octets.size();
    return {BodyStory::End::kOpen, passed, passed};
}

/// Counted data (BDAT): a dot means nothing.
inline BodyStory chunk_story(ByteView octets) {
    const std::size_t bare = bare_newline_in(octets);
    if (bare < octets.size()) return {BodyStory::End::kRefusedOpen, bare, bare};
    const std::size_t passed = octets.ends_with('\r') ? octets.size() - 1 : octets.size();
    return {BodyStory::End::kOpen, passed, passed};
}

}  // namespace gatepost::test

// An SMTP reply as a value (RFC 5321 section 4.2), and the only code that turns one into octets: text cannot
// smuggle a line end into what a client reads. Pure.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

/// A sentence of Gatepost's own; lives in the program text (reply_catalog.h).
struct StaticReply {
    int code = 0;
    std::string_view enhanced;  ///< "5.5.1" (RFC 3463), or "" where none is defined
    std::string_view text;
};

/// What an upstream said, or Gatepost in its place.
struct Reply {
    int code = 0;
    std::string text;  ///< lines joined by LF, each without its code; an enhanced code stays part of the text
    bool is_own = false;  ///< Gatepost's own words

    [[nodiscard]] bool is_positive() const noexcept { return code >= 200 && code < 300; }
    [[nodiscard]] bool is_transient() const noexcept { return code >= 400 && code < 500; }
    [[nodiscard]] bool is_permanent() const noexcept { return code >= 500; }
};

/// As an upstream would have said it.
[[nodiscard]] Reply to_reply(const StaticReply& reply);

/// Appends the octets of a reply: every line but the last with "-" behind the code, the last with a blank
/// (transcripts C1). Controls in the text are sent as "?".
void append(std::string& out, const StaticReply& reply);
void append(std::string& out, const Reply& reply);

/// Octets of a reply line with its CRLF (RFC 5321 section 4.5.3.1.5).
inline constexpr std::size_t kLongestReplyLine = 512;

/// The same in the session of this id: it is named at the end of every 4xx and 5xx of Gatepost's own ("…
/// [1k2j-0-5]"), for whoever looks for it in the log. A text that would be too long with it is cut.
void append(std::string& out, const StaticReply& reply, std::string_view session_id);
void append(std::string& out, const Reply& reply, std::string_view session_id);

/// The same for a code and lines joined by LF, each line as it stands.
void append_lines(std::string& out, int code, std::string_view lines);

}  // namespace gatepost::smtp

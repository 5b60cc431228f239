// How untrusted octets may appear where people read: on one line, unambiguous, no control character. Any
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost {

/// Controls, backslash, quotes and octets that are not valid UTF-8 become \xHH; at most `limit` octets of the
/// input are shown, then "...".
[[nodiscard]] std::string printable(ByteView octets, std::size_t limit = 256);

/// No octet above 127.
[[nodiscard]] bool is_ascii(ByteView text);

/// Well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(ByteView octets);

/// How many octets the well-formed UTF-8 character at the front takes; 0 when it is not one. Requires an
/// octet.
[[nodiscard]] std::size_t utf8_length(ByteView octets);

/// Any of U+0000..U+001F or U+007F, as octets.
[[nodiscard]] bool has_controls(ByteView octets);

}  // namespace gatepost

// How untrusted octets may appear where people read: on one line, unambiguous, no control character. Any
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost {

/// What is unseen (see is_unseen()), backslash, quotes and octets that are not valid UTF-8 become \xHH; at
/// most `limit` octets of the input are shown, then "...".
[[nodiscard]] std::string printable(ByteView octets, std::size_t limit = 256);

/// No octet above 127.
[[nodiscard]] bool is_ascii(ByteView text);

/// Well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(ByteView octets);

/// How many octets the well-formed UTF-8 character at the front takes; 0 when it is not one. Requires an
/// octet.
[[nodiscard]] std::size_t utf8_length(ByteView octets);

/// Of one well-formed UTF-8 character, as utf8_length() found it: whether it would act on a line or a
/// terminal instead of being seen there. Controls (C0, DEL, C1), line and paragraph separators, what turns
/// the direction of writing, and the blanks and marks without a width that look like another text or like
/// none.
[[nodiscard]] bool is_unseen(ByteView character);

/// The number of one well-formed UTF-8 character.
[[nodiscard]] char32_t code_point(ByteView character);

/// Any of U+0000..U+001F or U+007F, as octets.
[[nodiscard]] bool has_controls(ByteView octets);

}  // namespace gatepost

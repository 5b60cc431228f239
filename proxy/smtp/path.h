// Addresses as MAIL and RCPT carry them (RFC 5321 section 4.1.2, RFC 6531): taken apart, checked, and later
// re-encoded, so that no client text reaches an upstream as it stands. Pure.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

inline constexpr std::size_t kMaxAddress = 320;  ///< octets: 64 for the local part, "@", 255 for the domain

/// What stands between the angle brackets, a source route taken off. Quoting is kept octet for octet.
struct Path {
    ByteView address;       ///< "" = the null path <>; a view into the argument
    bool has_8bit = false;  ///< needs SMTPUTF8
};

/// Takes a path off the front of `rest` and the blanks behind it. Brackets may be missing around a plain
/// address, as some devices leave them out (transcripts D8). Nothing when it is not an address.
[[nodiscard]] std::optional<Path> take_path(ByteView& rest);

/// local-part [ "@" domain ], the whole of `text`. A local part without a domain is the upstream's to judge.
[[nodiscard]] bool is_address(ByteView text);

/// Whether `local_part` can stand without quotes.
[[nodiscard]] bool is_dot_string(ByteView local_part);

}  // namespace gatepost::smtp

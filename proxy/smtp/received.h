// The trace line that Gatepost adds to each message (RFC 5321 section 4.4, "with" words of RFC 3848 and
// 6531). Pure.
#pragma once

#include <string>

#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"

namespace gatepost::smtp {

struct TraceFacts {
    ByteView greeting_name;   ///< what the client called itself; untrusted
    ByteView client_address;  ///< "192.0.2.1" or "2001:db8::1"
    ByteView our_name;
    ByteView session_id;
    bool esmtp = false;
    bool tls = false;
    bool authenticated = false;
    ByteView user{};  ///< who has authenticated, to be named; "" = not to be
    bool smtputf8 = false;
    WallTime time;
};

/// The whole field with its line ends. Octets of the greeting name that a host name cannot have are shown as
/// "?". The user is named in a comment, all but atext, "." and "@" in per cent escapes: his own name cannot
/// end the comment, nor be taken for a part of the field.
[[nodiscard]] std::string received_field(const TraceFacts& facts);

/// RFC 5322 section 3.3, in UTC: "Sat, 21 Nov 2026 01:02:03 +0000".
[[nodiscard]] std::string message_date(WallTime time);

}  // namespace gatepost::smtp

// xtext (RFC 3461 section 4): how names and addresses leave Gatepost inside ESMTP parameters and XCLIENT. Any
// thread.
#pragma once

#include <optional>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost {

/// Every octet outside "!".."~", and "+" and "=", becomes "+" and two upper-case hex digits.
[[nodiscard]] std::string xtext_encode(ByteView octets);

/// Nothing when `text` holds an octet that xtext may not hold or a "+" without two upper-case hex digits
/// behind it.
[[nodiscard]] std::optional<std::string> xtext_decode(ByteView text);

}  // namespace gatepost

// Base64 as RFC 4954 needs it: strict RFC 4648 section 4, no line breaks, no stray octets. Any thread.
#pragma once

#include <optional>
#include <string>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost {

[[nodiscard]] std::string base64_encode(ByteView octets);

/// Nothing when `text` is not canonical base64: a wrong length, a stray octet, padding inside, or trailing
/// bits that are not zero. The empty text is the empty secret.
[[nodiscard]] std::optional<Secret> base64_decode(ByteView text);

}  // namespace gatepost

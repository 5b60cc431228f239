// Untrusted octets as the inside of a JSON string (RFC 8259), which is what logfmt puts between quotes too:
// valid UTF-8 whatever is put in. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"

namespace gatepost::observe {

/// Appends `octets` without quotes around them. Quotes and backslashes get a backslash; what is_unseen() and
/// `also`, which is ASCII, become \uHHHH; each octet that is not UTF-8 becomes U+FFFD. No more than
/// `limit` octets of the input are shown, whole characters only, then "...".
void append_escaped(std::string& out, ByteView octets, std::size_t limit, std::string_view also = {});

}  // namespace gatepost::observe

// One spelling for all spellings of a domain, as far as addresses are compared: in lower case, and U-labels
// (RFC 5890) as A-labels or the other way round. Asks nobody whether the domain exists. Pure.
#pragma once

#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::policy {

// Both take any octets and do bounded work. What libidn (IDNA 2003, RFC 3490) cannot convert stays as it is,
// in lower case, label by label; the dots of other scripts become ".", and dots at the end are taken off: the
// name means the same to a mail server. An address literal is only put into lower case.

/// The labels as the DNS has them: "B\u00FCcher.Example." is "xn--bcher-kva.example". A label with "*" in it
/// stays as it is.
[[nodiscard]] std::string domain_in_ascii(ByteView domain);

/// The labels as people write them; they may hold "*".
[[nodiscard]] std::string domain_in_unicode(ByteView domain);

/// Whether domain_in_unicode() of a domain_in_ascii() is something else.
[[nodiscard]] bool has_unicode_form(ByteView domain);

}  // namespace gatepost::policy

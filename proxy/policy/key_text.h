// A name that a client said, as part of a key that is shared by replicas and shown to operators. Pure.
#pragma once

#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::policy {

/// `name` itself where it is short UTF-8 without controls of any kind; else "#" and a hash of it. No name can
/// be written that looks like the hash of another. Names with the same hash can be made: they share their
/// counts.
[[nodiscard]] std::string key_text(ByteView name);

/// In (ASCII) lower case: the stores behind saslauthd, SQL and LDAP mostly know a user in any case, and each
/// spelling of his name must not be somebody else to the limits.
[[nodiscard]] std::string caseless(ByteView name);

}  // namespace gatepost::policy

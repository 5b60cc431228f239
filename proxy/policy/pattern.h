// Patterns in which "*" stands for any run of octets, for user names and domains as an operator writes them
// in routes, limits and sender policies. Keeps nothing and never backtracks over more than one "*". Pure.
#pragma once

#include "proxy/base/bytes.h"

namespace gatepost::policy {

// Each compares at most as many times as the lengths of pattern and text multiplied, whatever they hold.

/// The domain behind the last "@" of `user` in any (ASCII) case, all before it octet for octet.
[[nodiscard]] bool matches_user(ByteView pattern, ByteView user);

/// Octet for octet, "@" or not.
[[nodiscard]] bool matches_local(ByteView pattern, ByteView local_part);

/// In any (ASCII) case. "*.example.org" are the domains below example.org, without itself.
[[nodiscard]] bool matches_domain(ByteView pattern, ByteView domain);

}  // namespace gatepost::policy

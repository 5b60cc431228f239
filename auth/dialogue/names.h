// What a user name and a password may look like, in whatever mechanism they come. Pure; any thread.
#pragma once

#include <cstddef>

#include "proxy/base/bytes.h"

namespace gatepost::auth {

inline constexpr std::size_t kMaxNameSize = 255;
inline constexpr std::size_t kMaxPasswordSize = 1024;

/// 1-255 octets of UTF-8, no controls, no blank (of any script's) at either end: facts.md 1 has what
/// libraries do to others.
[[nodiscard]] bool is_acceptable_name(ByteView name);

/// 1-1024 octets, no controls (NUL, CR and LF among them).
[[nodiscard]] bool is_acceptable_password(ByteView password);

}  // namespace gatepost::auth

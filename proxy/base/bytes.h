// The vocabulary of octets. A view never owns; whoever hands one out says how long it lives. Any thread.
#pragma once

#include <string_view>

namespace gatepost {

/// Octets owned by somebody else. Not text: may hold NUL and 8-bit data.
using ByteView = std::string_view;

inline constexpr ByteView kCrlf = "\r\n";

}  // namespace gatepost

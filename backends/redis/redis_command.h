// Commands as octets for the wire, by hiredis' formatter. Any thread.
#pragma once

#include <initializer_list>
#include <span>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

/// Binary-safe. A secret, because AUTH is a command too.
[[nodiscard]] Secret format_command(std::span<const ByteView> words);
[[nodiscard]] Secret format_command(std::initializer_list<ByteView> words);

}  // namespace gatepost::backends

// Turns counted message data (BDAT) into marked message data (DATA, RFC 5321 section 4.5.2) for an upstream
// without CHUNKING, without copying it: it says where a dot is to be put in. Pure.
#pragma once

#include <cstddef>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

class DotStuffer {
  public:
    struct Result {
        std::size_t pass = 0;   ///< octets at the front that go on as they are
        bool then_dot = false;  ///< one "." goes behind them
    };

    /// Call again with the rest until all of it passed. Requires data in which each CR and LF is part of a
    /// CRLF.
    [[nodiscard]] Result next(ByteView bytes);

    /// What ends the message; a line that was not ended is ended first.
    [[nodiscard]] ByteView end_mark() const noexcept { return at_line_start_ ? ".\r\n" : "\r\n.\r\n"; }

  private:
    bool at_line_start_ = true;
    bool stuffed_ = false;  ///< the dot for the octet at the front was just put in
};

}  // namespace gatepost::smtp

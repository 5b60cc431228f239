// Judges message data as it streams by: how much may go on, is this the end, is it smuggling. Only CRLF.CRLF
// ends DATA; a CR or LF that is not part of a CRLF is never passed on. Holds no octets. Pure.
#pragma once

#include <cstddef>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

/// Message data between 354 and the end mark, dot-stuffed as the client sent it. It goes to the upstream as
/// it stands: both sides stuff alike, so a line that begins with a dot means the same to both.
class BodyScanner {
  public:
    enum class Verdict {
        kGoOn,
        kEnd,          ///< the safe octets end with the end mark
        kBareNewline,  ///< behind the safe octets stands a CR or LF that is not part of CRLF
    };
    struct Result {
        std::size_t safe = 0;  ///< octets at the front that may go on, the end mark included
        Verdict verdict = Verdict::kGoOn;
        std::size_t stuffed =
            0;  ///< dots found to be stuffing: no octets of the message (RFC 1870 section 5)
    };

    /// `bytes` begins with what the call before did not call safe (at most a CR whose next octet is not known
    /// yet).
    [[nodiscard]] Result scan(ByteView bytes);

    /// The same for refused data: everything up to the end mark is to be dropped, only the end mark counts.
    /// Once called, scan() must not be called again.
    [[nodiscard]] Result scan_refused(ByteView bytes);

  private:
    enum class At { kLineStart, kDot, kText };
    At at_ = At::kLineStart;  ///< DATA begins at a line start: ".CRLF" right behind 354 is the empty message
    int refused_matched_ = -1;  ///< octets of CRLF.CRLF matched by scan_refused(); -1 = not begun
};

/// Message data of BDAT chunks (RFC 3030): its end is counted, not marked, so a dot means nothing. A chunk
/// may end between the CR and the LF of a line end; the last one may not.
class ChunkScanner {
  public:
    /// As BodyScanner::scan(); never kEnd. A CR at the end of `bytes` is safe where `chunk_ends` there and
    /// another follows.
    [[nodiscard]] BodyScanner::Result scan(ByteView bytes, bool chunk_ends);

    /// The chunks so far end with a CR: the next octet has to be its LF.
    [[nodiscard]] bool is_inside_line_end() const noexcept { return after_cr_; }

  private:
    bool after_cr_ = false;  ///< the chunk before ended with a CR
};

}  // namespace gatepost::smtp

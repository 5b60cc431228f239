// Cuts octets into command lines (RFC 5321 section 2.3.8): a line ends with CRLF and with nothing else.
// Resumes at any split and holds no octets itself. Pure.
#pragma once

#include <cstddef>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

class LineReader {
  public:
    enum class Status {
        kLine,       ///< `line` is whole, without its CRLF
        kNeedMore,   ///< no line end yet
        kTooLong,    ///< a line over the limit has ended; its octets were dropped on the way
        kBadEnding,  ///< a bare CR or a bare LF: what follows cannot be trusted (smuggling)
    };
    struct Result {
        Status status = Status::kNeedMore;
        ByteView line;             ///< into `bytes` of the call
        std::size_t consumed = 0;  ///< octets at the front that must not be shown again
    };

    /// Looks for a line at the front of `bytes`, which must begin with what the call before left unconsumed.
    /// `limit` counts the octets of a line with its CRLF; a longer one is consumed as it comes, so that
    /// memory stays bounded.
    [[nodiscard]] Result next(ByteView bytes, std::size_t limit);

    /// Octets of the over-long line now being dropped; 0 when none is.
    [[nodiscard]] std::size_t dropped() const noexcept { return dropped_; }

  private:
    Result need_more(ByteView bytes, std::size_t limit);
    Result drop(ByteView bytes);

    std::size_t scanned_ = 0;  ///< octets at the front known to hold no LF and no bare CR
    std::size_t dropped_ = 0;
    bool dropped_cr_ = false;  ///< the last octet dropped was a CR
};

/// Whether a LineReader that drops nothing would find a good line at the front of `bytes`.
[[nodiscard]] bool has_whole_line(ByteView bytes, std::size_t limit);

}  // namespace gatepost::smtp

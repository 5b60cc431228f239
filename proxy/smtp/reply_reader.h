// Upstream octets → replies, strictly: anything that is no reply is called nonsense, and the connection that
// said it is not to be trusted further. Bounded however long the upstream talks. Pure.
#pragma once

#include <cstddef>

#include "proxy/base/bytes.h"
#include "proxy/smtp/reply.h"

namespace gatepost::smtp {

class ReplyReader {
  public:
    enum class Status {
        kReply,     ///< `reply()` is whole
        kNeedMore,  ///< whole lines were taken, the reply has not ended
        kNonsense,  ///< not a reply: three digits that are none, mixed codes, an endless line or reply
    };
    struct Result {
        Status status = Status::kNeedMore;
        std::size_t consumed = 0;
    };

    static constexpr std::size_t kMaxLine = 4096;
    static constexpr std::size_t kMaxText = 64 * 1024;

    /// Takes octets from the front of `bytes`, at most up to the end of one reply. Old upstreams end lines
    /// with a bare LF; that harms nobody here, because a reply leaves re-encoded.
    [[nodiscard]] Result next(ByteView bytes);

    /// The reply of the last kReply; valid until the next call of next().
    [[nodiscard]] const Reply& reply() const noexcept { return reply_; }

  private:
    [[nodiscard]] Status take_line(ByteView line);

    Reply reply_;
    bool finished_ = false;  ///< the reply was handed out; the next octet begins a new one
    std::size_t scanned_ = 0;
};

}  // namespace gatepost::smtp

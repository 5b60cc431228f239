// Octets of a Redis server in, replies out, by hiredis' parser. Holds at most one unfinished reply of bounded
// size; what it has consumed is wiped. On the thread of its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backends/redis/redis_reply.h"
#include "proxy/base/bytes.h"

struct redisReader;  // NOLINT(readability-identifier-naming): hiredis' name

namespace gatepost::backends {

class ReplyReader {
  public:
    static constexpr std::size_t kMostOctets = std::size_t{1024} * 1024;
    static constexpr std::size_t kMostItems = 65536;

    enum class Status {
        kReply,
        kNeedMore,
        kBroken,  ///< not RESP2, or too large; for ever
    };

    /// A reply of more octets, or with more parts, than these is broken.
    explicit ReplyReader(std::size_t most_octets = kMostOctets, std::size_t most_items = kMostItems);
    ~ReplyReader();
    ReplyReader(const ReplyReader&) = delete;
    ReplyReader& operator=(const ReplyReader&) = delete;

    /// Copies `octets`. Call next() until it needs more before the next feed().
    void feed(ByteView octets);

    /// Fills `reply` for kReply.
    [[nodiscard]] Status next(RedisReply& reply);

    /// Fed and not yet part of a reply that next() gave.
    [[nodiscard]] std::size_t unfinished() const noexcept { return fed_ - finished_; }

  private:
    struct Builder;  // the functions that hiredis calls
    struct FreeReader {
        void operator()(redisReader* reader) const noexcept;
    };

    [[nodiscard]] RedisReply* place(const RedisReply* parent);

    std::unique_ptr<redisReader, FreeReader> reader_;
    RedisReply root_;
    std::size_t most_octets_;
    std::size_t most_items_;
    std::size_t items_ = 0;     ///< of the reply in the making
    std::size_t fed_ = 0;       ///< octets since the reader began
    std::size_t finished_ = 0;  ///< of these, in replies given
    bool is_broken_ = false;
};

}  // namespace gatepost::backends

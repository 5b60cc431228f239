// The leg that faces the upstream, where Gatepost is the SMTP client, once the connection is open: the
// ordered, bounded queue of replies that are awaited, and the replies. An answer that cannot be ends the leg.
// How a connection is opened is in upstream_opening.h. Knows no client. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/base/bytes.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/smtp/reply_reader.h"

namespace gatepost::smtp {

/// What a reply is awaited for.
enum class Awaited : std::uint8_t { kMail, kRcpt, kData, kEndOfData, kChunk, kLastChunk, kReset, kQuit };

/// "MAIL", …, "EOD" for the end of data (a closed set, fit for a metric's label).
[[nodiscard]] std::string_view to_string(Awaited awaited);

class UpstreamLeg {
  public:
    enum class Event {
        kNone,       ///< more octets are needed
        kReply,      ///< `reply()` answers `answered()`
        kGoingAway,  ///< 421, whatever was awaited: `reply()`
        kNonsense,   ///< an answer that cannot be, or one that nobody asked for
    };
    struct Result {
        Event event = Event::kNone;
        std::size_t consumed = 0;
    };

    static constexpr std::size_t kMaxAwaited = 64;

    /// On a connection that is open and has these capabilities.
    explicit UpstreamLeg(Capabilities capabilities) : capabilities_(std::move(capabilities)) {}

    /// Takes octets from the front of `bytes`, up to the end of one reply.
    [[nodiscard]] Result next(ByteView bytes);

    [[nodiscard]] const Capabilities& capabilities() const noexcept { return capabilities_; }
    [[nodiscard]] const Reply& reply() const noexcept { return reader_.reply(); }
    [[nodiscard]] Awaited answered() const noexcept { return answered_; }
    [[nodiscard]] std::size_t awaited() const noexcept { return count_; }

    /// The beginning of a reply is there, and not its end.
    [[nodiscard]] bool is_inside_reply() const noexcept { return is_inside_reply_; }

    /// A further command may be sent now: the queue has room and, without PIPELINING, is empty.
    [[nodiscard]] bool can_send() const noexcept;

    /// Says that a command was sent and its reply is awaited. Requires room in the queue.
    void await(Awaited awaited);

    /// Takes the front of the queue, for a leg that failed: nobody will answer it. Nothing when the queue is
    /// empty.
    [[nodiscard]] std::optional<Awaited> give_up_next();

  private:
    Event take_answer();

    ReplyReader reader_;
    const Capabilities capabilities_;
    bool has_failed_ = false;
    bool is_inside_reply_ = false;
    Awaited answered_ = Awaited::kQuit;
    std::array<Awaited, kMaxAwaited> queue_{};
    std::uint8_t head_ = 0;
    std::uint8_t count_ = 0;
};

}  // namespace gatepost::smtp

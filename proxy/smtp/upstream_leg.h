// The leg that faces the upstream, where Gatepost is the SMTP client: greeting, EHLO (or HELO), STARTTLS
// where it is wanted, and the ordered, bounded queue of replies that are awaited. An answer that cannot be
// ends the leg. Knows no client. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/smtp/reply_reader.h"

namespace gatepost::smtp {

/// What a reply is awaited for.
enum class Awaited : std::uint8_t { kMail, kRcpt, kData, kEndOfData, kChunk, kLastChunk, kReset, kQuit };

/// "MAIL", …, "EOD" for the end of data (a closed set, fit for a metric's label).
[[nodiscard]] std::string_view to_string(Awaited awaited);

/// Whether the leg asks for TLS itself (RFC 3207). On implicit TLS it does not.
enum class StartTls : std::uint8_t {
    kNever,
    kIfOffered,  ///< and in the clear where it is not offered, or refused
    kRequired,
};

class UpstreamLeg {
  public:
    enum class State {
        kGreeting,  ///< connected, 220 awaited
        kEhlo,
        kHelo,
        kStartTls,   ///< the answer to STARTTLS is awaited
        kHandshake,  ///< secured() is awaited
        kReady,      ///< commands may be sent
        kFailed,     ///< nothing more may be sent or believed
    };
    enum class Event {
        kNone,       ///< more octets are needed
        kReady,      ///< the session with the upstream is open; `capabilities()` are known
        kReply,      ///< `reply()` answers `answered()`
        kStartTls,   ///< the handshake is to begin; then secured(). Octets behind this answer were sent by
                     ///< nobody who can be believed (RFC 3207 section 4.2): Result::ends_silence
        kNoTls,      ///< TLS is required, and not offered or refused
        kRefused,    ///< the greeting, EHLO or HELO was refused: `reply()` says how
        kGoingAway,  ///< 421, whatever was awaited: `reply()`
        kNonsense,   ///< an answer that cannot be, or one that nobody asked for
    };
    struct Result {
        Event event = Event::kNone;
        std::size_t consumed = 0;
        /// Nothing was awaited before this answer: octets that have come together with it, behind it, answer
        /// nobody (decisions 8).
        bool ends_silence = false;
    };

    static constexpr std::size_t kMaxAwaited = 64;

    /// `our_name` is what EHLO says; must outlive the leg.
    explicit UpstreamLeg(std::string_view our_name, StartTls start_tls = StartTls::kNever)
        : our_name_(our_name), start_tls_(start_tls) {}

    /// Takes octets from the front of `bytes`, up to the end of one reply; appends what is to be sent because
    /// of it to `out`.
    [[nodiscard]] Result next(ByteView bytes, std::string& out);

    /// The handshake after kStartTls is complete. What was learned before it is forgotten, and EHLO, which is
    /// appended to `out`, is said again.
    void secured(std::string& out);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const Capabilities& capabilities() const noexcept { return capabilities_; }
    [[nodiscard]] const Reply& reply() const noexcept { return reader_.reply(); }
    [[nodiscard]] Awaited answered() const noexcept { return answered_; }
    [[nodiscard]] std::size_t awaited() const noexcept { return count_; }

    /// A further command may be sent now: the queue has room and, without PIPELINING, is empty.
    [[nodiscard]] bool can_send() const noexcept;

    /// Says that a command was sent and its reply is awaited. Requires room in the queue.
    void await(Awaited awaited);

    /// Takes the front of the queue, for a leg that failed: nobody will answer it. Nothing when the queue is
    /// empty.
    [[nodiscard]] std::optional<Awaited> give_up_next();

  private:
    Event take_reply(std::string& out);
    Event take_greeting(std::string& out);
    Event take_hello(std::string& out);
    Event take_start_tls();
    Event take_answer();
    void say_ehlo(std::string& out);

    std::string_view our_name_;
    StartTls start_tls_;
    State state_ = State::kGreeting;
    ReplyReader reader_;
    Capabilities capabilities_;
    Awaited answered_ = Awaited::kQuit;
    std::array<Awaited, kMaxAwaited> queue_{};
    std::uint8_t head_ = 0;
    std::uint8_t count_ = 0;
};

}  // namespace gatepost::smtp

// One SMTP session of the sink as a pure state machine: octets in, reply octets out, messages to a taker.
// Never touches a socket, a file or a clock. One thread, no locks.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/end_mark.h"
#include "tests/bench/sink_settings.h"

namespace gatepost::bench {

/// A message as it arrived. The lines are as received, without CRLF.
struct SinkMessage {
    std::uint64_t connection = 0;
    std::string greeting_verb;  ///< "EHLO" or "HELO"; empty when the peer said neither.
    std::string greeting_name;
    std::string mail_line;
    std::vector<std::string> rcpt_lines;
    bool by_bdat = false;
    std::string body;  ///< Exact octets, dots unstuffed, ends as the sender ended it.
};

/// Where whole messages go. Called before the sink replies 250.
class MessageTaker {
  public:
    virtual ~MessageTaker() = default;
    virtual void take(const SinkMessage& message) = 0;
};

class SinkSession {
  public:
    /// `settings` and `taker` outlive the session. Without a taker message data is looked at for its end and
    /// forgotten, which is what makes the sink fast.
    SinkSession(const SinkSettings& settings, MessageTaker* taker, std::uint64_t connection);

    /// Appends the greeting to `out`.
    void greet(std::string& out);

    /// Consumes all of `bytes` (keeping a started line) and appends the replies. Nothing is consumed after
    /// close.
    void on_bytes(std::string_view bytes, std::string& out);

    /// The session waits: call resume() after delay(), and deliver no octets before that.
    [[nodiscard]] bool is_delayed() const { return delay_.count() > 0; }
    [[nodiscard]] std::chrono::milliseconds delay() const { return delay_; }
    void resume(std::string& out);

    /// The handshake is due behind what was said. Nothing is consumed before on_tls(), and what came behind
    /// STARTTLS is lost.
    [[nodiscard]] bool wants_tls() const { return tls_ == Tls::kWanted; }
    /// The handshake has begun, so whatever arrives now is inside it. The session is as at its beginning.
    void on_tls();

    [[nodiscard]] bool wants_close() const { return closing_; }
    [[nodiscard]] bool wants_reset() const { return reset_; }
    [[nodiscard]] bool is_endless() const { return endless_; }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }

  private:
    enum class Tls { kOff, kWanted, kOn };
    enum class Mode { kCommands, kData, kChunk, kAuthLine };

    std::string_view consume(std::string_view bytes, std::string& out);
    std::string_view consume_line(std::string_view bytes, std::string& out);
    std::string_view consume_data(std::string_view bytes, std::string& out);
    std::string_view consume_chunk(std::string_view bytes, std::string& out);

    void on_line(std::string_view line, std::string& out);
    void on_ehlo(std::string_view line, std::string& out);
    void on_mail(std::string_view line, std::string& out);
    void on_rcpt(std::string_view line, std::string& out);
    void on_data(std::string_view line, std::string& out);
    void on_bdat(std::string_view line, std::string& out);
    void on_auth(std::string_view line, std::string& out);
    void on_other(std::string_view verb, std::string_view line, std::string& out);
    void on_auth_line(std::string& out);
    [[nodiscard]] std::string ehlo_reply() const;
    void finish_message(std::string& out);
    void forget_transaction();

    /// Says `usual` unless a rule for this verb says otherwise. True when what was said is a 2xx or 3xx.
    bool say(std::string_view verb, std::string_view line, std::string_view usual, std::string& out);
    bool obey(const SinkRule& rule, std::string_view usual, std::string& out);
    void on_chunk_end(std::string& out);
    bool keep(std::string_view data);

    const SinkSettings& settings_;
    MessageTaker* taker_;
    Mode mode_ = Mode::kCommands;
    Tls tls_ = Tls::kOff;
    std::string pending_;  // a started line, or what came behind a delayed reply
    std::string held_;     // the delayed reply
    std::chrono::milliseconds delay_{0};
    bool closing_ = false;
    bool reset_ = false;
    bool endless_ = false;
    bool drop_after_delay_ = false;

    bool mail_given_ = false;
    bool rcpt_given_ = false;
    bool in_bdat_ = false;
    bool chunk_is_last_ = false;
    std::uint64_t chunk_left_ = 0;
    std::uint64_t body_size_ = 0;
    std::uint64_t data_seen_ = 0;
    EndMark end_mark_;
    unsigned auth_lines_left_ = 0;

    std::uint64_t messages_ = 0;
    std::map<std::string, unsigned, std::less<>> counts_;  // only kept when there are rules
    SinkMessage message_;
    std::string ehlo_reply_;
};

}  // namespace gatepost::bench

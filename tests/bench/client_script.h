// What one SMTP client of the load says, reply by reply, as a pure state machine. Never touches a socket or a
// clock. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gatepost::bench {

/// The octets of a session, made once and shared by all sessions of a run.
struct ScriptText {
    bool starttls = false;
    bool pipeline = false;  ///< MAIL, RCPT and DATA in one write.
    bool hold = false;      ///< Stops after AUTH and waits for leave().
    unsigned messages = 1;  ///< in each session
    std::string ehlo = "EHLO load.test\r\n";
    std::string auth;  ///< empty = no AUTH
    std::string mail = "MAIL FROM:<sender@load.test>\r\n";
    std::string rcpt = "RCPT TO:<recipient@load.test>\r\n";
    std::string envelope;  ///< all three commands, when pipelined
    std::string message;   ///< with the end mark

    /// The AUTH line for PLAIN with an initial response.
    void set_credentials(std::string_view user, std::string_view password);
    /// A message of `size` octets: a short header, then lines of 76 letters as in an attachment, with the end
    /// mark behind.
    void set_message_size(std::size_t size);
    void set_pipelined();
};

/// What to do after a reply.
struct ScriptStep {
    enum class Kind { kSend, kWait, kStartTls, kHeld, kDone, kFailed };
    Kind kind = Kind::kWait;
    std::string_view octets{};  ///< to send now; lives as long as the ScriptText
    bool message_begins = false;
    bool sender_accepted = false;  ///< the reply was MAIL's
    bool message_accepted = false;
};

class ClientScript {
  public:
    /// `text` outlives the script. `messages` is at least 1 (unless the script holds).
    ClientScript(const ScriptText& text, unsigned messages) : text_(&text), left_(messages) {}

    /// A whole reply with this code arrived.
    [[nodiscard]] ScriptStep on_reply(int code);
    /// The handshake after StartTls succeeded.
    [[nodiscard]] ScriptStep on_tls();
    /// Ends a held session.
    [[nodiscard]] ScriptStep leave();
    /// The reply awaited, for a complaint.
    [[nodiscard]] int expected_code() const;

  private:
    enum class Awaits {
        kGreeting,
        kEhlo,
        kStartTls,
        kHandshake,
        kTlsEhlo,
        kAuth,
        kMail,
        kRcpt,
        kData,
        kMessage,
        kNothing,
        kQuit
    };

    ScriptStep next_message();
    ScriptStep after_ehlo();
    ScriptStep after_auth();

    const ScriptText* text_;
    unsigned left_;
    Awaits awaits_ = Awaits::kGreeting;
};

}  // namespace gatepost::bench

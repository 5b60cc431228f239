// How a connection to an upstream becomes one that mail can be sent on, where Gatepost is the SMTP client:
// greeting, EHLO (or HELO), STARTTLS, Gatepost's own AUTH, and what must be announced for all that was
// configured; later XCLIENT, for the client that it is to serve. The commands of mail itself are
// UpstreamLeg's. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"
#include "proxy/smtp/auth_client.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/smtp/reply_reader.h"

namespace gatepost::smtp {

/// Whether the opening asks for TLS itself (RFC 3207). On implicit TLS it does not.
enum class StartTls : std::uint8_t {
    kNever,
    kIfOffered,  ///< and in the clear where it is not offered, or refused
    kRequired,
};

struct OpeningSettings {
    std::string our_name;  ///< in EHLO
    StartTls start_tls = StartTls::kNever;
    bool is_tls = false;                       ///< from the first octet on (implicit TLS)
    std::shared_ptr<const AuthClient> auth{};  ///< nullptr: no AUTH
    enum class Xclient : std::uint8_t { kNone, kClient, kLogin } xclient = Xclient::kNone;  ///< must be there
    bool needs_auth_parameter = false;  ///< MAIL … AUTH= must be possible (RFC 4954 section 5)
};

class UpstreamOpening {
  public:
    enum class State : std::uint8_t {
        kGreeting,  ///< connected, 220 awaited
        kEhlo,
        kHelo,
        kStartTls,   ///< the answer to STARTTLS is awaited
        kHandshake,  ///< secured() is awaited
        kAuth,
        kXclient,  ///< 220 to XCLIENT is awaited
        kReady,    ///< mail may be sent
        kFailed,   ///< nothing more may be sent or believed
    };
    enum class Event : std::uint8_t {
        kNone,         ///< more octets are needed
        kReady,        ///< `capabilities()` are known
        kStartTls,     ///< the handshake is to begin; then secured()
        kNoTls,        ///< TLS is required, and not offered or refused
        kRefused,      ///< the greeting, EHLO or HELO: `reply()` says how. 421 at any time
        kAuthFailed,   ///< `what()` says how
        kNotHonoured,  ///< the upstream does not do what is configured: `what()`
        kNonsense,     ///< an answer that cannot be, or octets behind an answer, which answer nobody
                       ///< (decisions 8; RFC 3207 section 4.2)
    };
    struct Result {
        Event event = Event::kNone;
        std::size_t consumed = 0;
    };

    /// `settings` must outlive the opening.
    explicit UpstreamOpening(const OpeningSettings& settings)
        : settings_(settings), is_tls_(settings.is_tls) {}

    /// Goes on with a connection that was opened before, when it had these capabilities; for introduce().
    void resume(Capabilities capabilities) {
        capabilities_ = std::move(capabilities);
        state_ = State::kReady;
        is_open_ = true;
    }

    /// Takes octets from the front of `bytes`, up to the end of one reply; appends what is to be sent because
    /// of it to `out`, which may hold a secret.
    [[nodiscard]] Result next(ByteView bytes, std::string& out);

    /// The handshake after kStartTls is complete. What was learned before it is forgotten, and EHLO, which is
    /// appended to `out`, is said again.
    void secured(std::string& out);

    /// Requires kReady. Tells the upstream who the client is; kReady follows again.
    void introduce(const std::string& xclient_command, std::string& out);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const Capabilities& capabilities() const noexcept { return capabilities_; }
    [[nodiscard]] const Reply& reply() const noexcept { return reader_.reply(); }
    [[nodiscard]] const std::string& what() const noexcept { return what_; }

  private:
    Event take_reply(std::string& out);
    Event take_greeting(std::string& out);
    Event take_hello(std::string& out);
    Event take_start_tls(std::string& out);
    Event take_auth(std::string& out);
    Event take_xclient(std::string& out);
    Event go_on(std::string& out);
    Event begin_auth(std::string& out);
    Event fail(Event event, std::string what);
    void say_ehlo(std::string& out);
    void say(std::string_view command, std::string& out);

    const OpeningSettings& settings_;
    State state_ = State::kGreeting;
    ReplyReader reader_;
    Capabilities capabilities_;
    std::string what_;
    std::string mechanism_;
    std::optional<Secret> late_response_;  ///< an initial response that was too long for its line
    Secret said_;                          ///< the response sent last, as it stood in its line
    int step_ = 0;
    bool is_tls_ = false;
    bool tls_is_settled_ = false;  ///< asked for, or done without
    bool is_open_ = false;         ///< was ready before: no TLS and no AUTH again
};

}  // namespace gatepost::smtp

// Opens one connection to one server: connect, PROXY header, TLS, greeting, EHLO, AUTH, XCLIENT, as
// configured; or tells a new client's name on one that is open. The one way to a connection, for sessions,
// spares and probes alike. On the thread of its loop.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/base/result.h"
#include "proxy/net/timer.h"
#include "proxy/net/tls_client_context.h"
#include "proxy/net/transport.h"
#include "proxy/smtp/upstream_opening.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream {

/// What is the same for all connections to an upstream.
struct OpenerSettings {
    smtp::OpeningSettings opening;
    std::shared_ptr<const net::TlsClientContext> tls = {};  ///< nullptr where TLS is never used
    std::optional<net::SocketAddress> source = {};          ///< nothing: the system's choice
};

/// An open connection, and nobody who listens to it: whoever takes it calls set_handler().
struct Opened {
    std::unique_ptr<net::Transport> transport;
    smtp::Capabilities capabilities;

    /// "TLSv1.3"; "" without TLS.
    [[nodiscard]] std::string_view tls_version() const {
        return transport->is_tls() ? transport->tls_facts().version : "";
    }
};

struct OpeningFailure {
    enum class Why : std::uint8_t {
        kUnreachable,
        kNoAddress,  ///< the name has none, or nobody knows
        kTimedOut,
        kTlsFailed,
        kRefusedNow,      ///< 4xx or 421 to the greeting or EHLO
        kRefusedForGood,  ///< 5xx
        kAuthFailed,
        kNotHonoured,
        kUnsayable,  ///< XCLIENT has no way to say who this client is; no fault of the server's
        kNonsense,
        kLost,
        kBusy,  ///< all connections that are allowed were in use for too long
    };
    Why why = Why::kUnreachable;
    std::string what = {};  ///< for the log; may hold what the upstream said
};

class Opener final : private net::TransportHandler {
  public:
    using Outcome = std::expected<Opened, OpeningFailure>;
    /// Called once, from the loop, never inside a call of the opener; may destroy the opener.
    using Done = std::move_only_function<void(Outcome)>;
    /// Makes the XCLIENT command, once the capabilities of the upstream are known. The error is why it cannot
    /// be said. Empty: none is needed.
    using Introduction = std::function<Result<std::string>(const smtp::Capabilities& capabilities)>;

    /// What goes ahead of everything, TLS included, from the address that the connection has here; empty:
    /// nothing.
    using Header = std::function<std::string(const net::SocketAddress& own)>;

    /// `settings` must outlive the opener. Destroying it closes what it has begun.
    Opener(net::EventLoop& loop, const OpenerSettings& settings, Done done);
    ~Opener() override;
    Opener(const Opener&) = delete;
    Opener& operator=(const Opener&) = delete;

    /// Once.
    void open(const Server& server, const Header& header, Introduction introduction, Duration timeout);
    /// Once, instead of open(): on a connection that is open already.
    void introduce(Opened connection, const Introduction& introduction, Duration timeout);

    /// The server has said something: it is not one that hangs.
    [[nodiscard]] bool has_talked() const noexcept { return has_talked_; }

  private:
    // net::TransportHandler
    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override;
    void on_tls_established(net::Transport& transport) override;
    void on_drained(net::Transport& transport) override;
    void on_closed(net::Transport& transport, net::CloseCause cause) override;

    void take(smtp::UpstreamOpening::Event event);
    void opened();
    void fail(OpeningFailure::Why why, std::string what);
    void end(Outcome outcome);
    void send(std::string out);

    net::EventLoop& loop_;
    const OpenerSettings& settings_;
    Done done_;
    Introduction introduction_;
    net::Timer deadline_;
    smtp::UpstreamOpening opening_;
    std::unique_ptr<net::Transport> transport_;
    std::string tls_name_;
    bool has_talked_ = false;
    bool is_introduced_ = false;
    bool is_over_ = false;
    bool is_talked_over_ = false;  ///< octets came behind the last answer
    std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace gatepost::upstream

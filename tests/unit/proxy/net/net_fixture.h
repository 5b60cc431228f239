// What the tests of net/ share: certificates made on the spot, a peer that
// blocks, a handler that remembers, and a way to run the loop until something
// is true. Never waits longer than a fixed limit.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <openssl/ssl.h>

#include "proxy/net/event_loop.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/transport.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net::testing {

class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
    /// Writes a file and returns its path.
    std::string write(const std::string& name, std::string_view octets) const;

  private:
    std::filesystem::path folder_;
};

enum class KeyKind { kEc, kRsa };

/// A self-signed pair in `folder`, called after `file`. Without `names` it has
/// only the common name `common_name`.
CertificateFiles make_certificate(const TemporaryFolder& folder, const std::string& file,
                                  const std::string& common_name, const std::vector<std::string>& names = {},
                                  KeyKind kind = KeyKind::kEc,
                                  std::chrono::seconds lifetime = std::chrono::hours(1));

/// Runs the loop until `done` or for 10 seconds; false when the time was over.
[[nodiscard]] bool run_until(EventLoop& loop, const std::function<bool()>& done);

/// Remembers everything; consumes all, unless told otherwise by `consume`.
class RecordingHandler final : public TransportHandler {
  public:
    std::size_t on_bytes(Transport& transport, ByteView bytes) override;
    void on_tls_established(Transport& transport) override;
    void on_drained(Transport& transport) override;
    void on_closed(Transport& transport, CloseCause cause) override;

    std::string received;
    std::vector<std::string> shown;
    int established = 0;
    int drained = 0;
    int calls_after_close = 0;
    std::optional<CloseCause> closed;

    /// Instead of consuming all: what to do, and how much was consumed.
    std::function<std::size_t(Transport&, ByteView)> consume;
    std::function<void(Transport&)> when_established;
    std::function<void(Transport&)> when_drained;
    std::function<void()> when_closed;
};

/// Two connected non-blocking stream sockets of the unix family.
[[nodiscard]] std::pair<UniqueFd, UniqueFd> socket_pair();
/// Two connected TCP sockets over loopback; the first is non-blocking.
[[nodiscard]] std::pair<UniqueFd, UniqueFd> tcp_pair();

/// The other end of a connection, driven by blocking calls with a time limit,
/// with OpenSSL's own client.
class Peer {
  public:
    explicit Peer(UniqueFd socket);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    struct Tls {
        int version = TLS1_3_VERSION;
        std::string name;
        std::string ciphers;     ///< for TLS 1.2
        std::string signatures;  ///< "ECDSA+SHA256"
        SSL_SESSION* resume = nullptr;
        CertificateFiles certificate = {};  ///< the client's own, if any
    };
    [[nodiscard]] bool handshake(const Tls& wish);
    [[nodiscard]] bool handshake() { return handshake({}); }

    bool send(std::string_view octets);
    /// "" at the end of the connection or of the time.
    std::string receive_some();
    std::string receive(std::size_t count);
    /// Everything until the end.
    std::string receive_all();
    /// After receive_some() gave "": whether the end was close_notify.
    [[nodiscard]] bool saw_close_notify() const { return saw_close_notify_; }

    void close() { socket_.reset(); }
    /// RST instead of FIN.
    void reset();
    void shutdown_tls();

    [[nodiscard]] SSL* ssl() { return ssl_.get(); }
    [[nodiscard]] int fd() const { return socket_.get(); }
    /// The common name of the server's certificate.
    [[nodiscard]] std::string server_name() const;
    /// The newest ticket's session; the caller owns a reference.
    [[nodiscard]] SSL_SESSION* session() const;

  private:
    UniqueFd socket_;
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{nullptr, SSL_CTX_free};
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
    bool saw_close_notify_ = false;
};

}  // namespace gatepost::net::testing

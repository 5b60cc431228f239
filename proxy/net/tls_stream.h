// One OpenSSL session over one socket: ciphertext is read from the socket, and written to a buffer that the
// transport sends when it flushes, so that any number of records (session ticket, reply, close_notify) leave
// in one system call. Knows no events. On the thread of its transport.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/bytes.h"
#include "proxy/net/out_buffer.h"

struct bio_st;
struct ssl_ctx_st;
struct ssl_st;

namespace gatepost::net {

class TlsStream {
  public:
    enum class Role { kServer, kClient };
    enum class Outcome {
        kDone,
        kWantsMore,  ///< the socket has no more octets for now
        kEof,        ///< close_notify
        kDropped,    ///< the socket failed or ended without close_notify
        kFailed,     ///< not TLS as agreed; failure() says why
    };
    struct Read {
        Outcome outcome;
        std::size_t octets;
    };

    /// Does not own `socket`. nullptr when memory is short.
    [[nodiscard]] static std::unique_ptr<TlsStream> make(ssl_ctx_st* context, Role role, int socket);
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    /// Octets taken from the socket before TLS began, which are the beginning of the handshake.
    void put_in_front(std::string received) {
        received_ = std::move(received);
        is_starved_ = false;
    }

    /// The socket has become readable. Until then it is not asked again once it has given less than it was
    /// asked for: OpenSSL always tries for more, and that would be a system call in vain.
    void socket_rang() noexcept { is_drained_ = is_starved_ = false; }

    /// Goes on with the handshake as far as the octets there are allow.
    [[nodiscard]] Outcome handshake();

    /// At most one record. More may be held(): then the socket need not become readable for the next read.
    [[nodiscard]] Read read(std::span<char> space);

    /// What is read from now on is no secret: OpenSSL need not wipe its copy of each record, which costs a
    /// tenth of the CPU of big messages. Until then a server does: passwords arrive in records.
    void keep_plaintext() noexcept { wipes_ = false; }

    /// Encrypts all of `octets` into wire(). Requires a completed handshake.
    [[nodiscard]] Outcome write(ByteView octets);

    /// Puts close_notify into wire(), unless the session has failed or never began.
    void close_notify();

    /// Octets, decrypted or not yet, that have left the socket and of which something may be read now: not a
    /// part of a record, whose rest the socket will announce.
    [[nodiscard]] bool is_holding() const noexcept;

    [[nodiscard]] OutBuffer& wire() noexcept { return wire_; }
    [[nodiscard]] const OutBuffer& wire() const noexcept { return wire_; }
    [[nodiscard]] ssl_st* ssl() const noexcept { return ssl_.get(); }
    /// The errno behind kDropped; 0 for an end of file.
    [[nodiscard]] int socket_error() const noexcept { return socket_error_; }
    /// Static text; valid after kFailed.
    [[nodiscard]] std::string_view failure() const noexcept { return failure_; }

  private:
    struct FreeSsl {
        void operator()(ssl_st* session) const noexcept;
    };
    struct Bio;  // the four functions that OpenSSL calls

    explicit TlsStream(int socket) : socket_(socket) {}

    [[nodiscard]] Outcome judge(int result);
    [[nodiscard]] int read_and_wipe(std::span<char> space, std::size_t& got);

    std::unique_ptr<ssl_st, FreeSsl> ssl_;
    OutBuffer wire_;
    int socket_;
    int socket_error_ = 0;
    bool is_drained_ = false;  ///< the socket, as far as is known
    bool is_starved_ = false;  ///< nothing more can be done before the socket rings
    bool has_ended_ = false;   ///< end of file or an error on the socket
    bool has_failed_ = false;
    bool wipes_ = false;
    std::string received_;
    std::string_view failure_;
};

}  // namespace gatepost::net

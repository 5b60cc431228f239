// STARTTLS of the sink: OpenSSL on its own sockets, so that the proxy under test does not meet its own code.
// Reads and writes like recv() and send(), the handshake included. One thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;

namespace gatepost::bench {

struct SinkTlsDeleter {
    void operator()(ssl_ctx_st* context) const noexcept;
    void operator()(ssl_st* tls) const noexcept;
};
using SinkTlsContext = std::unique_ptr<ssl_ctx_st, SinkTlsDeleter>;
using SinkTls = std::unique_ptr<ssl_st, SinkTlsDeleter>;

/// Throws std::runtime_error when a file (PEM) cannot be used.
[[nodiscard]] SinkTlsContext make_sink_tls_context(const std::filesystem::path& certificate,
                                                   const std::filesystem::path& key);

/// The server side of a handshake on `fd`, which what is read and written from now on goes through.
[[nodiscard]] SinkTls start_sink_tls(ssl_ctx_st& context, int fd);

/// As recv() and send(): the number of octets; 0 at the end; -1 with errno EAGAIN when the peer has to go
/// first, with another errno when TLS failed. Reads a record at a time: space for 16 KiB leaves none inside,
/// of which no event of the socket would tell.
[[nodiscard]] ssize_t read_tls(ssl_st& tls, std::span<char> space);
[[nodiscard]] ssize_t write_tls(ssl_st& tls, std::string_view octets);
/// close_notify, as good servers do.
void end_tls(ssl_st& tls);

}  // namespace gatepost::bench

#include "tests/bench/sink_tls.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>

#include <climits>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace gatepost::bench {
namespace {

/// SSL_read's and SSL_write's answer as recv()'s and send()'s.
ssize_t as_of_socket(const ssl_st& tls, int result) {
    if (result > 0) return result;
    const int error = SSL_get_error(&tls, result);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNABORTED;
    return -1;
}

int as_length(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

}  // namespace

void SinkTlsDeleter::operator()(ssl_ctx_st* context) const noexcept {
    SSL_CTX_free(context);
}
void SinkTlsDeleter::operator()(ssl_st* tls) const noexcept {
    SSL_free(tls);
}

SinkTlsContext make_sink_tls_context(const std::filesystem::path& certificate,
                                     const std::filesystem::path& key) {
    SinkTlsContext context(SSL_CTX_new(TLS_server_method()));
    const auto use = [](bool works, const std::filesystem::path& file) {
        if (!works) throw std::runtime_error("cannot use " + file.string());
    };
    use(context && SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1, certificate);
    use(SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1, key);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

SinkTls start_sink_tls(ssl_ctx_st& context, int fd) {
    SinkTls tls(SSL_new(&context));
    SSL_set_fd(tls.get(), fd);
    SSL_set_accept_state(tls.get());
    return tls;
}

ssize_t read_tls(ssl_st& tls, std::span<char> space) {
    return as_of_socket(tls, SSL_read(&tls, space.data(), as_length(space.size())));
}

ssize_t write_tls(ssl_st& tls, std::string_view octets) {
    return as_of_socket(tls, SSL_write(&tls, octets.data(), as_length(octets.size())));
}

void end_tls(ssl_st& tls) {
    if (SSL_is_init_finished(&tls) != 0) SSL_shutdown(&tls);
    ERR_clear_error();
}

}  // namespace gatepost::bench

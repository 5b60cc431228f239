#include "proxy/net/tls_client_context.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "proxy/net/certificate.h"
#include "proxy/net/secret_file.h"
#include "proxy/net/socket_address.h"

namespace gatepost::net {

namespace {

using ContextPointer = std::unique_ptr<SSL_CTX, Freeing<SSL_CTX, SSL_CTX_free>>;

Result<void> trust(SSL_CTX* context, const std::string& path) {
    if (path.empty()) {
        if (SSL_CTX_set_default_verify_paths(context) != 1) return fail("TLS: " + openssl_reason());
        return {};
    }
    const auto text = read_secret_file(path);
    if (!text) return fail("tls_ca " + path + ": " + text.error().message);
    const BioPointer source(BIO_new_mem_buf(text->reveal().data(), static_cast<int>(text->size())));
    std::size_t count = 0;
    while (true) {
        const CertificatePointer authority(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
        if (!authority) break;
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
        ++count;
    }
    const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string reason = openssl_reason();
    if (count == 0 && is_at_end) return fail("tls_ca " + path + ": holds no PEM certificate");
    if (!is_at_end) return fail("tls_ca " + path + ": " + reason);
    return {};
}

}  // namespace

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::make(const TlsClientSettings& settings) {
    ContextPointer made(SSL_CTX_new(TLS_client_method()));
    if (!made) return fail("TLS: " + openssl_reason());
    SSL_CTX* context = made.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (settings.verifies) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        if (auto trusted = trust(context, settings.ca); !trusted) return std::unexpected(trusted.error());
    }
    if (settings.own.certificate.empty() != settings.own.key.empty())
        return fail("TLS: a certificate of our own needs its key, and a key its certificate");
    if (!settings.own.certificate.empty()) {
        const auto own = load_certificate(settings.own);
        if (!own) return std::unexpected(own.error());
        if (!use_certificate(context, *own))
            return fail("certificate " + settings.own.certificate + ": " + openssl_reason());
    }
    return std::unique_ptr<TlsClientContext>(new TlsClientContext(made.release(), settings.verifies));
}

TlsClientContext::~TlsClientContext() {
    SSL_CTX_free(context_);
}

bool TlsClientContext::expect(ssl_st* session, const std::string& server_name) const {
    if (server_name.empty()) return !verifies_;
    ERR_clear_error();
    bool is_set = true;
    if (SocketAddress::from_ip(server_name, 1)) {  // RFC 6066 section 3: no address in SNI
        is_set =
            !verifies_ || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), server_name.c_str()) == 1;
    } else {
        is_set = SSL_set_tlsext_host_name(session, server_name.c_str()) == 1 &&
                 (!verifies_ || SSL_set1_host(session, server_name.c_str()) == 1);
    }
    ERR_clear_error();
    return is_set;
}

}  // namespace gatepost::net

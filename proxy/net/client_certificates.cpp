#include "proxy/net/client_certificates.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "proxy/net/certificate.h"

namespace gatepost::net {

namespace {

constexpr int kClientChainDepth = 4;

/// A client certificate that does not verify is no reason to refuse a client who has a password.
int accept_any_certificate(int /*verified*/, X509_STORE_CTX* /*store*/) {
    return 1;
}

/// False also for one whose issuer came from the client: a ticket does not hold the rest of the chain.
bool verifies_now(SSL* session, X509* certificate) {
    using Verification = std::unique_ptr<X509_STORE_CTX, Freeing<X509_STORE_CTX, X509_STORE_CTX_free>>;
    const Verification verification(X509_STORE_CTX_new());
    X509_STORE* const authorities = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(session));
    const bool verifies = verification &&
                          X509_STORE_CTX_init(verification.get(), authorities, certificate, nullptr) == 1 &&
                          X509_STORE_CTX_set_default(verification.get(), "ssl_client") == 1 &&
                          X509_verify_cert(verification.get()) == 1;
    ERR_clear_error();  // a handshake goes on after this
    return verifies;
}

SSL_TICKET_RETURN use_or_ignore_ticket(SSL* session, SSL_SESSION* resumed, const unsigned char* /*key_name*/,
                                       std::size_t /*key_name_size*/, SSL_TICKET_STATUS status,
                                       void* /*unused*/) {
    const bool is_open = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!is_open) return SSL_TICKET_RETURN_IGNORE_RENEW;
    X509* const certificate = SSL_SESSION_get0_peer(resumed);
    if (certificate != nullptr && !verifies_now(session, certificate)) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

Result<void> set_client_ca(SSL_CTX* context, const std::string& path, ByteView bundle) {
    const BioPointer source(BIO_new_mem_buf(bundle.data(), static_cast<int>(bundle.size())));
    std::size_t count = 0;
    while (true) {
        const CertificatePointer authority(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
        if (!authority) break;
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
        SSL_CTX_add_client_CA(context, authority.get());
        ++count;
    }
    ERR_clear_error();
    if (count == 0) return fail("client_ca " + path + ": holds no PEM certificate");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any_certificate);
    SSL_CTX_set_verify_depth(context, kClientChainDepth);
    return {};
}

void check_certificates_in_tickets(SSL_CTX* context) {
    SSL_CTX_set_session_ticket_cb(context, nullptr, use_or_ignore_ticket, nullptr);
}

}  // namespace gatepost::net

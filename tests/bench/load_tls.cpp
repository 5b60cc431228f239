#include "tests/bench/load_tls.h"

namespace gatepost::bench {

SSL_CTX* make_load_tls_context() {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(context, "X25519");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

std::string name_of_tls(SSL* tls) {
    std::string name = std::string(SSL_get_version(tls)) + " " + SSL_get_cipher_name(tls);
    if (SSL_get_negotiated_group(tls) == NID_X25519) name += " X25519";
    return name;
}

}  // namespace gatepost::bench

// TLS as the load speaks it: 1.3 with X25519, certificates not verified, no resumption. One thread.
#pragma once

#include <string>

#include <openssl/ssl.h>

namespace gatepost::bench {

/// The caller frees it.
[[nodiscard]] SSL_CTX* make_load_tls_context();

/// Version, cipher suite and group of a handshake that is over.
[[nodiscard]] std::string name_of_tls(SSL* tls);

}  // namespace gatepost::bench

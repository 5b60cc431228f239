// Certificates of clients: who may have issued them, and whether a session may be resumed with one. Set up
// with the context of a listener; the callbacks run on the thread of its sessions.
#pragma once

#include <string>

#include <openssl/ssl.h>

#include "proxy/base/bytes.h"
#include "proxy/base/result.h"

namespace gatepost::net {

/// Sessions of `context` ask for a certificate by one of `bundle`'s authorities. `path` is only for the
/// error.
[[nodiscard]] Result<void> set_client_ca(SSL_CTX* context, const std::string& path, ByteView bundle);

/// A session is resumed only while the certificate in its ticket verifies. Otherwise there is a full
/// handshake, in which the client can show the certificate that it has now.
void check_certificates_in_tickets(SSL_CTX* context);

}  // namespace gatepost::net

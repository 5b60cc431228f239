// What a session of TLS lends to AUTH: channel bindings (RFC 5929, RFC 9266) and the name in the client's
// certificate. The thread of the session's transport.
#pragma once

#include <string>

struct ssl_st;

namespace gatepost::net {

/// The 32 octets of "tls-exporter"; "" below TLS 1.3, where two sessions could share them.
[[nodiscard]] std::string tls_exporter(ssl_st* session);

/// The hash of our certificate for "tls-server-end-point"; "" for one whose signature names no hash.
[[nodiscard]] std::string tls_server_end_point(ssl_st* session);

enum class CertificateName { kEmail, kUri, kCommonName };

/// Whom the client's certificate names: the first such name, "" when there is no certificate, it did not
/// verify, or has no such name.
[[nodiscard]] std::string client_certificate_name(ssl_st* session, CertificateName which);

}  // namespace gatepost::net

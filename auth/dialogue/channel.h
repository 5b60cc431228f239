// What an AUTH can lean on of the TLS channel that carries it. A value; any thread.
#pragma once

#include <string>

namespace gatepost::auth {

struct Channel {
    std::string exporter;          ///< "tls-exporter" octets (RFC 9266); "" where there are none
    std::string end_point;         ///< "tls-server-end-point" octets (RFC 5929); "" where there are none
    std::string certificate_name;  ///< whom the client's certificate names, verified; "" when nobody
};

}  // namespace gatepost::auth

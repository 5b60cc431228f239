// How the connections to one upstream are secured. A value; the context in it belongs to one thread.
#pragma once

#include <memory>

#include "proxy/net/tls_client_context.h"

namespace gatepost::upstream {

struct Security {
    bool is_implicit = false;                                ///< TLS from the first octet on
    std::shared_ptr<const net::TlsClientContext> context{};  ///< nullptr where TLS is never used
};

}  // namespace gatepost::upstream

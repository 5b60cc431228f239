// What a server is told about the client of a connection, as `identity` asks for. Pure, but for the type of
// addresses. Any thread.
#pragma once

#include <string>

#include "proxy/upstream/pool_settings.h"

namespace gatepost::upstream {

/// The PROXY header of a client's connection to the server; empty where there is none.
[[nodiscard]] Opener::Header client_header(Identity identity, const Client& client);
/// The one of a probe, which speaks for itself.
[[nodiscard]] Opener::Header own_header(Identity identity, const net::SocketAddress& server);

/// What XCLIENT is to say; empty = nothing.
[[nodiscard]] Opener::Introduction introduction(Identity identity, const Client& client);

}  // namespace gatepost::upstream

#include "proxy/upstream/introduction.h"

#include "proxy/net/proxy_header.h"
#include "proxy/smtp/xclient.h"

namespace gatepost::upstream {

Opener::Header client_header(Identity identity, const Client& client) {
    using net::SocketAddress;
    const auto header = [&](std::string (*make)(const SocketAddress&, const SocketAddress&)) {
        return [make, source = client.address, destination = client.listener_address](const SocketAddress&) {
            return make(source, destination);
        };
    };
    if (identity == Identity::kProxyV1) return header(net::proxy_header_v1);
    if (identity == Identity::kProxyV2) return header(net::proxy_header_v2);
    return {};
}

Opener::Header own_header(Identity identity, const net::SocketAddress& server) {
    if (identity == Identity::kProxyV2)
        return [](const net::SocketAddress&) { return net::proxy_header_v2({}, {}); };
    // Version 1 has UNKNOWN for this, which Postfix refuses.
    if (identity == Identity::kProxyV1)
        return [server](const net::SocketAddress& own) { return net::proxy_header_v1(own, server); };
    return {};
}

Opener::Introduction introduction(Identity identity, const Client& client) {
    switch (identity) {
        case Identity::kXclient:
            return [client](const smtp::Capabilities& able) {
                const std::string address = client.address.ip_string();
                const std::string destination = client.listener_address.ip_string();
                return smtp::xclient_command(able.xclient,
                                             {.address = address,
                                              .port = client.address.port(),
                                              .name = {},
                                              .helo = client.greeting_name,
                                              .esmtp = client.is_esmtp,
                                              .login = client.user,
                                              .destination_address = destination,
                                              .destination_port = client.listener_address.port()});
            };
        case Identity::kXclientLogin:
            return [user = client.user](const smtp::Capabilities& able) {
                return smtp::xclient_login(able.xclient, user);
            };
        case Identity::kNone:
        case Identity::kProxyV1:
        case Identity::kProxyV2: break;
    }
    return {};
}

}  // namespace gatepost::upstream

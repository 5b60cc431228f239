// The PROXY header in front of a connection: whom it names, and what stands behind it.
#include <utility>
#include <variant>

#include "proxy/net/proxy_protocol.h"
#include "proxy/server/connection.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

std::size_t Connection::take_proxy_header(ByteView bytes) {
    const net::ProxyParse parsed = net::parse_proxy_header(bytes);
    if (std::holds_alternative<net::ProxyNeedsMore>(parsed)) return 0;
    if (const auto* const malformed = std::get_if<net::ProxyMalformed>(&parsed)) {
        proxy_failed(conf::ProxyVersion::kUnknown, conf::ProxyResult::kMalformed, malformed->reason);
        return bytes.size();
    }
    const auto& header = std::get<net::ProxyHeader>(parsed);
    awaits_proxy_header_ = false;
    generation_.facts().proxy_header(context_,
                                     header.version == 1 ? conf::ProxyVersion::kV1 : conf::ProxyVersion::kV2,
                                     conf::ProxyResult::kOk, "");
    if (!header.is_local) {
        context_.peer_ip = std::exchange(context_.client_ip, header.source.ip_string());
        context_.client_port = header.source.port();
        address_ = header.source;
        destination_ = header.destination;
    }
    std::size_t consumed = header.consumed;
    begin_session(net::TlsStart::kWithReceived);
    if (is_draining_ && !is_ended_) conversation_->on(session::DrainRequested{});
    // What stands behind the header belongs to the session; under implicit TLS it is the handshake's.
    if (!is_ended_ && listener_.tls != conf::ListenerTls::Implicit && consumed < bytes.size()) {
        consumed += show_to_conversation(bytes.substr(consumed));
    }
    after_event();
    return consumed;
}

void Connection::proxy_failed(conf::ProxyVersion version, conf::ProxyResult result, std::string_view reason) {
    generation_.facts().proxy_header(context_, version, result, reason);
    end(conf::CloseReason::kProxyProtocol);
}

}  // namespace gatepost::server

// A connection as operators see it, and how they end it. On its worker's thread.
#include "proxy/server/connection.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

std::optional<SessionRow> Connection::row() const {
    if (is_ended_) return std::nullopt;
    SessionRow row{.id = context_.id,
                   .listener = std::string(context_.listener_name),
                   .client_ip = context_.client_ip,
                   .user = {},
                   .helo = {},
                   .tls = std::string(context_.tls_version),
                   .phase = std::string(conf::to_string(context_.phase)),
                   .upstream = {},
                   .age = worker_.loop().now() - context_.began,
                   .messages = 0,
                   .received = context_.received,
                   .sent = context_.sent};
    if (!conversation_) return row;
    row.user = conversation_->user();
    if (!row.user.empty()) {
        row.mechanism = context_.mechanism;
        row.backend = context_.backend;
    }
    row.helo = conversation_->greeting_name();
    const bool is_waiting = conversation_->state() == session::State::kAwaitingUpstream;
    if (is_waiting || !conversation_->is_between_transactions()) row.upstream = context_.upstream_name;
    row.messages = conversation_->messages();
    return row;
}

void Connection::kick() {
    if (is_ended_) return;
    if (!conversation_) return end(conf::CloseReason::kKicked);
    conversation_->on(session::KickRequested{});
    after_event();
}

}  // namespace gatepost::server

// The upstream side of a connection: where to connect, what is tried next, and how it is let go.
#include <algorithm>
#include <utility>

#include "proxy/net/dialer.h"
#include "proxy/server/connection.h"
#include "proxy/server/worker.h"

namespace gatepost::server {
namespace {

/// For QUIT to go out to an upstream that does not take it.
constexpr std::chrono::seconds kGrace{5};

}  // namespace

void Connection::open_upstream() {
    context_.upstream_began = worker_.loop().now();
    candidates_ = worker_.upstream_candidates();
    std::ranges::reverse(candidates_);
    upstream_has_talked_ = false;
    upstream_tls_failure_ = {};
    // Not inline: what fails at once must not call back before this returns.
    worker_.later(id_, [](Connection& connection) {
        connection.dial_next();
        connection.after_event();
    });
}

/// Tries the next address; the deadline that the conversation has set bounds all of them together.
void Connection::dial_next() {
    if (is_ended_ || conversation_->state() != session::State::kAwaitingUpstream) return;
    while (!candidates_.empty()) {
        const upstream::Candidate candidate = std::move(candidates_.back());
        candidates_.pop_back();
        std::expected<net::UniqueFd, int> socket = net::dial(candidate.address);
        if (!socket) continue;
        worker_.server_taken(candidate.server);
        server_ = candidate.server;
        worker_.describe(candidate.server, context_);
        upstream_ = std::make_unique<net::Transport>(worker_.loop(), std::move(*socket),
                                                     static_cast<net::TransportHandler&>(*this));
        upstream_tls_name_ = candidate.tls_name;
        if (worker_.upstream_security().is_implicit) secure_upstream();
        upstream_->start();
        if (!candidates_.empty()) wait_for_this_one();
        return;
    }
    using Why = session::UpstreamLost::Why;
    conversation_->on(
        session::UpstreamLost{.why = upstream_tls_failure_.empty() ? Why::kUnreachable : Why::kTlsFailed,
                              .what = upstream_tls_failure_});
}

void Connection::secure_upstream() {
    upstream_->start_tls_client(*worker_.upstream_security().context, upstream_tls_name_);
}

/// Of implicit TLS the conversation need not know.
void Connection::upstream_secured() {
    if (!worker_.upstream_security().is_implicit) conversation_->on(session::UpstreamSecured{});
    after_event();
}

void Connection::drop_upstream(session::UpstreamGoodbye goodbye) {
    candidates_.clear();
    if (!upstream_) return;
    if (goodbye == session::UpstreamGoodbye::kQuit) upstream_->finish(kGrace);
    retire_upstream();
}

/// The transport may be in the middle of its callback, so it is destroyed after it.
void Connection::retire_upstream() {
    if (server_) worker_.server_released(*server_);
    server_.reset();
    if (!upstream_) return;
    upstream_->close();
    worker_.loop().defer([old = std::move(upstream_)] {});
}

/// One that hangs does not use up the time for all: each address gets its share of what the conversation
/// allows.
void Connection::wait_for_this_one() {
    if (!patience_) {
        patience_ = std::make_unique<net::Timer>(worker_.loop(), [this] {
            const bool still_waits =
                !is_ended_ && conversation_->state() == session::State::kAwaitingUpstream;
            if (!still_waits || upstream_has_talked_ || candidates_.empty()) return;
            retire_upstream();
            dial_next();
            after_event();
        });
    }
    patience_->start(listener_.session.connect_timeout / static_cast<int>(candidates_.size() + 1));
}

void Connection::upstream_closed(net::CloseCause cause) {
    using Why = session::UpstreamLost::Why;
    const bool has_tls_failed = cause == net::CloseCause::kTlsFailed;
    if (has_tls_failed) upstream_tls_failure_ = upstream_->tls_failure();
    retire_upstream();
    if (!upstream_has_talked_) return dial_next();
    conversation_->on(session::UpstreamLost{.why = has_tls_failed ? Why::kTlsFailed : Why::kLost,
                                            .what = upstream_tls_failure_});
}

}  // namespace gatepost::server

#include "proxy/server/connection.h"

#include <algorithm>
#include <utility>

#include "proxy/net/tls_channel.h"
#include "proxy/server/labels.h"
#include "proxy/server/worker.h"

namespace gatepost::server {
namespace {

/// For a last word to a peer that does not take it.
constexpr std::chrono::seconds kGrace{5};
/// For a peer that does not know yet that a drain ends its session, and may be sending.
constexpr std::chrono::seconds kDrainLinger{1};

/// Commands wait here while an answer is awaited. The longest line must fit, or it would never be whole: of
/// AUTH it is 12288 octets.
net::TransportLimits client_limits(const session::Settings& settings) {
    return {.soft_unconsumed = std::max(std::size_t{16} * 1024, settings.max_line_length + 1024)};
}

WallTime wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

Connection::Connection(Worker& worker, ConnectionId id, WorkerGeneration& generation,
                       const ListenerPlan& listener, ConnectionSlot slot, net::UniqueFd socket,
                       const net::SocketAddress& peer)
    : worker_(worker),
      id_(id),
      generation_(generation),
      listener_(listener),
      slot_(std::move(slot)),
      address_(peer),
      client_(worker.loop(), std::move(socket), *this, client_limits(listener.session)),
      deadline_(worker.loop(), [this] { on_deadline(); }) {
    context_.id = worker.session_id(id);
    context_.listener = listener.index;
    context_.listener_name = listener.name;
    context_.client_ip = peer.ip_string();
    context_.client_port = peer.port();
    context_.began = worker.loop().now();
    generation_.facts().opened(context_);
}

Connection::~Connection() {
    generation_.verifier().cancel(id_);
    leave_upstream(session::UpstreamGoodbye::kAbort);
}

void Connection::start() {
    awaits_proxy_header_ = listener_.must_speak_proxy(address_);
    if (awaits_proxy_header_) {
        deadline_.start(listener_.session.handshake_timeout);
        client_.start();
    } else {
        begin_session(net::TlsStart::kFresh);
        // Of implicit TLS nothing is read before the client is admitted.
        if (!is_ended_ && listener_.tls != conf::ListenerTls::Implicit) client_.start();
    }
    after_event();
}

void Connection::begin_session(net::TlsStart tls_start) {
    conversation_ = std::make_unique<session::Conversation>(
        listener_.session,
        session::ClientFacts{.address = context_.client_ip,
                             .session_id = context_.id,
                             .peer = policy::PeerAddress::from_octets(address_.ip_octets()),
                             .is_trusted = listener_.is_trusted(address_)},
        static_cast<session::Actions&>(*this));
    if (listener_.tls == conf::ListenerTls::Implicit) {
        tls_start_ = tls_start;
        return conversation_->on(session::ClientArrived{});
    }
    conversation_->on(
        session::ClientConnected{.tls = false, .offer = generation_.offer(listener_), .auth = auth_offer()});
}

session::AuthOffer Connection::auth_offer() const {
    const bool has_name =
        !listener_.tls_settings.client_ca.empty() && client_.ssl() != nullptr && !certificate_name().empty();
    return {.servable = generation_.servable(), .has_certificate = has_name};
}

std::string Connection::certificate_name() const {
    return net::client_certificate_name(client_.ssl(), listener_.certificate_name);
}

/// Costs some microseconds, so it is asked for by the mechanisms that lean on it only.
auth::Channel Connection::channel_for(std::string_view mechanism) const {
    auth::Channel channel;
    if (client_.ssl() == nullptr) return channel;
    if (mechanism == "EXTERNAL") channel.certificate_name = certificate_name();
    if (mechanism.starts_with("SCRAM-") && listener_.needs_binding) {
        channel.exporter = net::tls_exporter(client_.ssl());
        channel.end_point = net::tls_server_end_point(client_.ssl());
    }
    return channel;
}

void Connection::admit_client() {
    begin_implicit_tls();
    if (!is_ended_ && tls_start_ == net::TlsStart::kFresh) client_.start();
}

void Connection::begin_implicit_tls() {
    if (!take_handshake_slot()) {
        generation_.facts().rejected(listener_.index, listener_.name, context_.client_ip,
                                     conf::RejectReason::kTlsHandshakes);
        return end(conf::CloseReason::kTlsError);
    }
    awaits_tls_ = true;
    context_.tls_began = worker_.loop().now();
    deadline_.start(listener_.session.handshake_timeout);
    client_.start_tls_server(generation_.tls_context(listener_), tls_start_);
}

std::size_t Connection::on_bytes(net::Transport& transport, ByteView bytes) {
    if (is_ended_) return bytes.size();
    if (&transport != &client_) {
        // Its last words, after it was let go.
        if (!lease_ || &transport != lease_->transport.get()) return bytes.size();
        const std::size_t consumed = conversation_->on(session::BytesFromUpstream{bytes});
        after_event();
        return consumed;
    }
    if (awaits_proxy_header_) return take_proxy_header(bytes);
    const std::size_t consumed = show_to_conversation(bytes);
    after_event();
    return consumed;
}

std::size_t Connection::show_to_conversation(ByteView bytes) {
    const bool was_in_auth = conversation_->is_in_auth();
    // The session may end in there, and its line tells of all that came.
    context_.received = std::max(context_.received, consumed_ + bytes.size());
    const std::size_t consumed = conversation_->on(session::BytesFromClient{bytes, wall_now()});
    consumed_ += consumed;
    // Passwords were among them.
    if (was_in_auth || conversation_->is_in_auth()) {
        client_.wipe_shown();
    } else if (!conversation_->user().empty()) {
        client_.expect_no_secret();
    }
    return consumed;
}

void Connection::on_tls_established(net::Transport& /*transport*/) {
    if (is_ended_) return;
    handshake_ = {};
    const net::TlsFacts facts = client_.tls_facts();
    context_.tls_version = facts.version;
    context_.tls_cipher = facts.cipher;
    context_.tls_resumed = facts.resumed;
    context_.time_tls = worker_.loop().now() - context_.tls_began;
    generation_.facts().tls_established(context_, worker_.loop().now(), awaits_tls_);
    if (std::exchange(awaits_tls_, false)) {
        conversation_->on(session::ClientConnected{
            .tls = true, .offer = generation_.offer(listener_), .auth = auth_offer()});
    } else {
        conversation_->on(
            session::TlsEstablished{.offer = generation_.offer(listener_), .auth = auth_offer()});
    }
    after_event();
}

void Connection::on_drained(net::Transport& /*transport*/) {
    if (!is_ended_) after_event();
}

void Connection::on_closed(net::Transport& transport, net::CloseCause cause) {
    if (is_ended_) return;
    if (&transport == &client_) {
        client_closed(cause);
    } else if (lease_ && &transport == lease_->transport.get()) {
        conversation_->on(session::UpstreamLost{});
    }
    after_event();
}

void Connection::client_closed(net::CloseCause cause) {
    cause_ = to_label(cause);
    if (awaits_proxy_header_) {
        return proxy_failed(conf::ProxyVersion::kUnknown, conf::ProxyResult::kMissing,
                            "connection closed before it");
    }
    const bool in_starttls = conversation_->state() == session::State::kAwaitingTls;
    if (awaits_tls_ || in_starttls) {
        generation_.facts().tls_failed(context_, awaits_tls_, tls_failure_label(cause, client_.tls_failure()),
                                       client_.tls_failure());
    }
    conversation_->on(session::ClientClosed{});
}

void Connection::send_to_client(ByteView octets) {
    context_.sent += octets.size();
    client_.write(octets);
}

void Connection::send_to_upstream(ByteView octets) {
    if (!lease_) return;
    lease_->transport->write(octets);
    generation_.facts().sent_upstream(context_, octets.size());
}

bool Connection::take_handshake_slot() {
    handshake_ = worker_.handshakes().take();
    return static_cast<bool>(handshake_);
}

void Connection::start_tls() {
    context_.tls_began = worker_.loop().now();
    client_.start_tls_server(generation_.tls_context(listener_));
}

void Connection::ask_verifier(auth::Step step) {
    if (step.is_first) step.channel = channel_for(step.mechanism);
    generation_.verifier().step(id_, std::move(step));
}

void Connection::cancel_verifier() {
    generation_.verifier().cancel(id_);
}

void Connection::set_deadline(Duration from_now) {
    deadline_.start(from_now);
}

void Connection::resume_client() {
    // Paused for a peer that does not take what is said: everything is shown again once it has.
    if (!is_paused_) client_.resume_reading();
}

void Connection::report(const session::Fact& fact) {
    if (lease_ && std::holds_alternative<session::UpstreamFailed>(fact)) pool_->note_failure(*lease_);
    generation_.facts().take(context_, conversation_->user(), worker_.loop().now(), fact);
}

void Connection::close(session::CloseReason reason) {
    const bool exact = reason == session::CloseReason::kClientGone && cause_;
    end(exact ? *cause_ : to_label(reason));
}

void Connection::on_verdict(auth::Verdict verdict) {
    if (is_ended_) return;
    conversation_->on(session::VerdictArrived{std::move(verdict)});
    after_event();
}

void Connection::drain() {
    if (is_ended_) return;
    is_draining_ = true;
    if (!conversation_) return;  // the PROXY header has its own deadline, and 421 is said behind it
    conversation_->on(session::DrainRequested{});
    after_event();
}

bool Connection::abort() {
    if (is_ended_) return false;
    if (conversation_ && conversation_->has_transaction()) generation_.metrics().drain_cut_transaction();
    end(conf::CloseReason::kDrain);
    return true;
}

bool Connection::drain_expired() {
    if (conversation_ && conversation_->state() == session::State::kAwaitingFinal) return false;
    return abort();
}

void Connection::on_deadline() {
    if (is_ended_) return;
    if (awaits_proxy_header_) {
        return proxy_failed(conf::ProxyVersion::kUnknown, conf::ProxyResult::kTimeout, "not sent in time");
    }
    const bool in_handshake = awaits_tls_ || conversation_->state() == session::State::kAwaitingTls;
    if (in_handshake) {
        generation_.facts().tls_failed(context_, awaits_tls_, conf::TlsFailure::kTimeout,
                                       "not finished in time");
        return end(conf::CloseReason::kTlsTimeout);
    }
    conversation_->on(session::TimerFired{.upstream_is_stuck = is_upstream_congested()});
    after_event();
}

/// The end of each callback: one write for all that was said, and backpressure both ways.
void Connection::after_event() {
    if (is_ended_) return;
    client_.flush();
    if (lease_) lease_->transport->flush();
    if (conversation_)
        generation_.facts().event_over(context_, worker_.loop().now(), *conversation_, awaits_tls_);
    const bool full = client_.is_congested() || is_upstream_congested();
    if (full == is_paused_) return;
    is_paused_ = full;
    if (full) {
        client_.pause_reading();
    } else {
        client_.resume_reading();
    }
}

void Connection::end(conf::CloseReason reason) {
    if (std::exchange(is_ended_, true)) return;
    // What was begun is told, and what was charged for it given back.
    if (conversation_ && conversation_->state() != session::State::kClosed)
        conversation_->on(session::SessionCut{});
    deadline_.stop();
    handshake_ = {};
    SessionEnd last{.reason = reason, .greeting_name = {}, .identity = {}};
    if (conversation_) {
        last.greeting_name = conversation_->greeting_name();
        last.identity = conversation_->identity();
        last.messages = conversation_->messages();
        last.commands = conversation_->commands();
        last.errors = conversation_->errors();
    }
    generation_.facts().closed(context_, worker_.loop().now(), last);
    leave_upstream(session::UpstreamGoodbye::kAbort);
    generation_.forget_upstreams_of(id_);
    client_.finish(kGrace, reason == conf::CloseReason::kDrain ? Duration(kDrainLinger) : Duration::zero());
    worker_.reap(id_);
}

}  // namespace gatepost::server

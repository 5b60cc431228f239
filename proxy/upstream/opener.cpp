#include "proxy/upstream/opener.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "proxy/base/secret.h"
#include "proxy/net/dialer.h"
#include "proxy/net/listener.h"

namespace gatepost::upstream {
namespace {

using Why = OpeningFailure::Why;

Why why_of(net::CloseCause cause, bool has_talked) {
    switch (cause) {
        case net::CloseCause::kConnectFailed: return Why::kUnreachable;
        case net::CloseCause::kTlsFailed: return Why::kTlsFailed;
        case net::CloseCause::kEof:
        case net::CloseCause::kDropped:
        case net::CloseCause::kBufferOverrun: break;
    }
    return has_talked ? Why::kLost : Why::kUnreachable;
}

}  // namespace

Opener::Opener(net::EventLoop& loop, const OpenerSettings& settings, Done done)
    : loop_(loop),
      settings_(settings),
      done_(std::move(done)),
      deadline_(loop, [this] { fail(Why::kTimedOut, "no answer in time"); }),
      opening_(settings.opening) {}

Opener::~Opener() {
    *is_alive_ = false;
    if (!transport_) return;
    transport_->close();
    loop_.defer([old = std::move(transport_)] {});
}

void Opener::open(const Server& server, const Header& header, Introduction introduction, Duration timeout) {
    deadline_.start(timeout);
    introduction_ = std::move(introduction);
    tls_name_ = server.tls_name;
    std::expected<net::UniqueFd, int> socket = net::dial(server.address, settings_.source);
    if (!socket) return fail(Why::kUnreachable, "connection failed");
    transport_ = std::make_unique<net::Transport>(loop_, std::move(*socket),
                                                  static_cast<net::TransportHandler&>(*this));
    // Who waits for it says nothing before.
    if (header) {
        transport_->write(header(net::local_address(transport_->fd())));
        transport_->flush();
    }
    if (settings_.opening.is_tls) transport_->start_tls_client(*settings_.tls, tls_name_);
    transport_->start();
}

void Opener::introduce(Opened connection, const Introduction& introduction, Duration timeout) {
    deadline_.start(timeout);
    transport_ = std::move(connection.transport);
    transport_->set_handler(*this);
    opening_.resume(std::move(connection.capabilities));
    introduction_ = introduction;
    has_talked_ = true;
    opened();
    if (transport_) transport_->flush();
}

std::size_t Opener::on_bytes(net::Transport& /*transport*/, ByteView bytes) {
    if (is_over_) {
        // Under TLS a second record of the same turn; it would pass for the answer to the first command.
        is_talked_over_ = true;
        return bytes.size();
    }
    has_talked_ = true;
    std::size_t consumed = 0;
    while (!is_over_) {
        std::string out;
        const smtp::UpstreamOpening::Result result = opening_.next(bytes.substr(consumed), out);
        consumed += result.consumed;
        if (result.event == smtp::UpstreamOpening::Event::kNone && !out.empty()) send(std::move(out));
        take(result.event);
        if (result.consumed == 0) break;
    }
    return consumed;
}

/// What is sent may hold our password.
void Opener::send(std::string out) {
    transport_->write(out);
    wipe(out.data(), out.size());
}

void Opener::on_tls_established(net::Transport& /*transport*/) {
    if (is_over_ || opening_.state() != smtp::UpstreamOpening::State::kHandshake) return;
    std::string out;
    opening_.secured(out);
    send(std::move(out));
}

void Opener::on_drained(net::Transport& /*transport*/) {}

void Opener::on_closed(net::Transport& transport, net::CloseCause cause) {
    if (cause == net::CloseCause::kTlsFailed)
        return fail(Why::kTlsFailed, "TLS failed: " + std::string(transport.tls_failure()));
    fail(why_of(cause, has_talked_),
         cause == net::CloseCause::kConnectFailed ? "connection failed" : "connection closed");
}

void Opener::take(smtp::UpstreamOpening::Event event) {
    using Event = smtp::UpstreamOpening::Event;
    switch (event) {
        case Event::kNone: return;
        case Event::kReady: return opened();
        case Event::kStartTls: return transport_->start_tls_client(*settings_.tls, tls_name_);
        case Event::kNoTls: return fail(Why::kTlsFailed, "STARTTLS is required, and not to be had");
        case Event::kRefused:
            return fail(opening_.reply().is_permanent() ? Why::kRefusedForGood : Why::kRefusedNow,
                        "refused: " + std::to_string(opening_.reply().code) + ' ' + opening_.reply().text);
        case Event::kAuthFailed: return fail(Why::kAuthFailed, opening_.what());
        case Event::kNotHonoured: return fail(Why::kNotHonoured, opening_.what());
        case Event::kNonsense: return fail(Why::kNonsense, "an answer that cannot be");
    }
}

void Opener::opened() {
    if (introduction_ && !std::exchange(is_introduced_, true)) {
        const Result<std::string> command = introduction_(opening_.capabilities());
        if (!command) return fail(Why::kUnsayable, command.error().message);
        std::string out;
        opening_.introduce(*command, out);
        return send(std::move(out));
    }
    is_over_ = true;
    deadline_.stop();
    end(Opened{.transport = nullptr, .capabilities = opening_.capabilities()});
}

void Opener::fail(Why why, std::string what) {
    if (std::exchange(is_over_, true)) return;
    deadline_.stop();
    end(std::unexpected(OpeningFailure{why, std::move(what)}));
}

/// After the callback in which it was found out, in which neither the transport nor this may die.
void Opener::end(Outcome outcome) {
    loop_.defer([this, alive = is_alive_, outcome = std::move(outcome)]() mutable {
        if (!*alive) return;
        if (outcome) outcome->transport = std::move(transport_);
        if (outcome && is_talked_over_)
            outcome = std::unexpected(OpeningFailure{Why::kNonsense, "an answer that cannot be"});
        const bool was_lost = outcome && !outcome->transport->is_open();
        if (was_lost) outcome = std::unexpected(OpeningFailure{Why::kLost, "connection closed"});
        Done done = std::move(done_);
        done(std::move(outcome));
    });
}

}  // namespace gatepost::upstream

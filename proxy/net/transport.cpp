// Longer than most: reading, writing and ending share one state, and are easier to check side by side.
#include "proxy/net/transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "proxy/base/secret.h"
#include "proxy/net/farewell.h"
#include "proxy/net/tls_client_context.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/tls_stream.h"

namespace gatepost::net {

namespace {

/// The fairness budget: read at most this much before others get their turn. Seven TLS records, see
/// kReadAhead there.
constexpr std::size_t kReadAtOnce = 7 * 16384;
/// A write of this size is worth a system call of its own.
constexpr std::size_t kLargeWrite = 16 * 1024;

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

Transport::Transport(EventLoop& loop, UniqueFd socket, TransportHandler& handler, TransportLimits limits)
    : loop_(loop),
      handler_(&handler),
      limits_(limits),
      socket_(std::move(socket)),
      read_event_(event_new(loop.base(), socket_.get(), EV_READ | EV_PERSIST, on_read_event, this)) {
    if (!read_event_) std::abort();
    limits_.soft_unconsumed = std::min(limits_.soft_unconsumed, kReadAtOnce);
}

Transport::~Transport() {
    release();
}

void Transport::start() {
    loop_.assert_here();
    if (!is_open()) return;
    is_started_ = true;
    arm_reading();
    wake_if_needed();
}

bool Transport::is_open() const noexcept {
    return static_cast<bool>(socket_);
}
bool Transport::is_tls() const noexcept {
    return tls_ != nullptr;
}
ssl_st* Transport::ssl() const noexcept {
    return tls_ ? tls_->ssl() : nullptr;
}

TlsFacts Transport::tls_facts() const {
    return {.version = SSL_get_version(tls_->ssl()),
            .cipher = SSL_get_cipher_name(tls_->ssl()),
            .resumed = SSL_session_reused(tls_->ssl()) != 0};
}

// ---- one turn

void Transport::on_read_event(evutil_socket_t /*fd*/, short what, void* self) {
    auto& transport = *static_cast<Transport*>(self);
    // Only now has the queue let go of the event; a turn that the socket began leaves it queued.
    if ((what & EV_TIMEOUT) != 0) transport.is_queued_ = false;
    transport.run_turn((what & EV_READ) != 0);
}

void Transport::on_write_event(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    auto& transport = *static_cast<Transport*>(self);
    transport.is_write_armed_ = false;
    transport.flush_output();
    if (transport.is_open() && !transport.is_write_armed_) event_del(transport.write_event_.get());
    // Only run_turn() speaks to the handler.
    if (transport.failure_ || transport.tell_drained_) transport.run_turn(false);
}

void Transport::run_turn(bool is_readable) {
    if (!is_open()) return;
    is_in_turn_ = true;
    if (is_readable && tls_) tls_->socket_rang();
    if (failure_) return report_closed(*failure_);
    if (std::exchange(tell_drained_, false)) {
        handler_->on_drained(*this);
        if (!is_open()) return;
    }
    if (std::exchange(show_again_, false) && may_show() && !unconsumed_.empty()) {
        show({loop_.read_buffer().data(), put_kept_in_front()});
        if (!is_open()) return;
    }
    if (may_read() && !ending_) {
        if (is_readable || is_tls_holding()) read_pass();
        if (!is_open()) return;
    } else if (is_readable) {
        disarm_reading();  // level-triggered: it would ring each turn
    }
    // Nothing can be sent then, and the attempt would find another, worse reason.
    if (ending_ == CloseCause::kConnectFailed) return report_closed(*ending_);
    if (!is_holding_ticket_ || !out_.empty()) flush_output();
    // What OpenSSL says by itself (alerts, key updates) counts too.
    if (unsent() > limits_.hard) failure_ = CloseCause::kBufferOverrun;
    if (failure_) return report_closed(*failure_);
    if (ending_ && may_read()) return report_closed(*ending_);
    is_in_turn_ = false;
    wake_if_needed();
}

void Transport::read_pass() {
    if (tls_state_ != TlsState::kHandshaking || advance_handshake()) read_and_show();
}

/// True when the session is established and its octets may be read now.
bool Transport::advance_handshake() {
    switch (tls_->handshake()) {
        case TlsStream::Outcome::kDone: break;
        case TlsStream::Outcome::kWantsMore: return false;
        case TlsStream::Outcome::kEof:
        case TlsStream::Outcome::kDropped:
            failure_ = cause_of(tls_->socket_error());
            if (SSL_is_server(tls_->ssl()) == 0 && failure_ != CloseCause::kConnectFailed)
                tls_failure_ = "the server ended the connection during the handshake";
            return false;
        case TlsStream::Outcome::kFailed:
            if (can_send()) send_buffer(tls_->wire());  // the alert
            tls_failure_ = tls_->failure();
            failure_ = CloseCause::kTlsFailed;
            return false;
    }
    tls_state_ = TlsState::kEstablished;
    // Under TLS 1.3 all that waits now is the session ticket. Nobody waits for it, so it leaves with the
    // first reply.
    is_holding_ticket_ =
        out_.empty() && SSL_is_server(tls_->ssl()) != 0 && SSL_version(tls_->ssl()) == TLS1_3_VERSION;
    handler_->on_tls_established(*this);
    if (!is_open()) return false;
    return may_read() && is_tls_holding();
}

bool Transport::is_tls_holding() const noexcept {
    return tls_ && tls_->is_holding();
}

// ---- reading

bool Transport::may_show() const noexcept {
    return !is_paused_ && !failure_;
}

bool Transport::may_read() const noexcept {
    if (tls_state_ == TlsState::kHandshaking) return is_started_ && !failure_;
    return is_started_ && may_show() && unconsumed_.size() <= limits_.soft_unconsumed;
}

void Transport::read_and_show() {
    const std::span<char> buffer = loop_.read_buffer();
    const std::size_t lead = put_kept_in_front();
    const std::span<char> space = buffer.subspan(lead).first(std::min(kReadAtOnce, buffer.size() - lead));
    const std::size_t got = tls_ ? read_tls(space) : read_plain(space);
    more_is_waiting_ = got == space.size();
    if (got > 0) {
        has_talked_ = true;
        show({buffer.data(), lead + got});
    }
}

/// Into the loop's buffer: what is shown there stays readable even if the handler closes the transport.
/// Returns how much.
std::size_t Transport::put_kept_in_front() {
    std::ranges::copy(unconsumed_, loop_.read_buffer().begin());
    return unconsumed_.size();
}

std::size_t Transport::read_plain(std::span<char> space) {
    const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
        ending_ = CloseCause::kEof;
    } else if (!would_block(errno)) {
        ending_ = cause_of(errno);
    }
    return 0;
}

std::size_t Transport::read_tls(std::span<char> space) {
    std::size_t total = 0;
    do {
        const TlsStream::Read read = tls_->read(space.subspan(total));
        total += read.octets;
        switch (read.outcome) {
            case TlsStream::Outcome::kDone: break;
            case TlsStream::Outcome::kWantsMore: return total;
            case TlsStream::Outcome::kEof: ending_ = CloseCause::kEof; return total;
            case TlsStream::Outcome::kDropped: ending_ = CloseCause::kDropped; return total;
            case TlsStream::Outcome::kFailed:
                tls_failure_ = tls_->failure();
                ending_ = CloseCause::kTlsFailed;
                return total;
        }
    } while (total < space.size() && tls_->is_holding());
    return total;
}

void Transport::show(ByteView octets) {
    is_showing_ = true;
    show_again_ = false;
    const std::size_t consumed = std::min(handler_->on_bytes(*this, octets), octets.size());
    is_showing_ = false;
    if (std::exchange(wipes_shown_, false)) {
        wipe(const_cast<char*>(octets.data()), consumed);
        wipe(unconsumed_.data(), unconsumed_.size());  // the beginning of the same
    }
    if (!is_open()) return;
    unconsumed_.assign(octets.substr(consumed));
    if (unconsumed_.empty()) {
        std::string().swap(unconsumed_);
    } else if (tls_is_new_) {
        settle_received();
    } else if (unconsumed_.size() > limits_.hard) {
        fail_later(CloseCause::kBufferOverrun);
    }
    tls_is_new_ = false;
    note_buffered();
}

void Transport::pause_reading() {
    is_paused_ = true;
}

void Transport::resume_reading() {
    loop_.assert_here();
    const bool was_paused = std::exchange(is_paused_, false);
    // Inside on_bytes() the handler has the octets before its eyes: only a real pause makes them shown again.
    if (is_showing_) {
        show_again_ = show_again_ || was_paused;
        return;
    }
    if (!is_open() || !is_started_) return;
    show_again_ = !unconsumed_.empty();
    wake_if_needed();
}

/// Watches the socket if it may be read, and asks for another turn when there is work for which the socket
/// will not ring.
void Transport::wake_if_needed() {
    if (!is_open() || is_in_turn_) return;
    if (unconsumed_.empty()) show_again_ = false;
    if (may_read() && !ending_) arm_reading();
    const bool can_go_on = may_read() && (ending_ || is_tls_holding());
    if (!can_go_on && !(show_again_ && may_show()) && !failure_ && !tell_drained_) return;
    if (!std::exchange(is_queued_, true)) loop_.run_soon(read_event_.get());
}

void Transport::arm_reading() {
    if (is_read_armed_) return;
    if (event_add(read_event_.get(), nullptr) != 0) std::abort();
    is_read_armed_ = true;
}

void Transport::disarm_reading() {
    if (!is_read_armed_) return;
    event_del(read_event_.get());
    is_read_armed_ = false;
}

// ---- TLS

void Transport::start_tls_server(const TlsContext& context, TlsStart start) {
    loop_.assert_here();
    if (!is_open() || tls_) return;
    has_talked_ = true;
    begin_handshake(TlsStream::make(context.get(), TlsStream::Role::kServer, socket_.get()), start);
    wake_if_needed();
}

void Transport::start_tls_client(const TlsClientContext& context, const std::string& server_name) {
    loop_.assert_here();
    if (!is_open() || tls_) return;
    auto stream = TlsStream::make(context.get(), TlsStream::Role::kClient, socket_.get());
    const bool is_name_good = stream && context.expect(stream->ssl(), server_name);
    begin_handshake(std::move(stream), TlsStart::kFresh);
    if (!is_name_good && !failure_) {
        tls_failure_ = "not a name that a server can be asked for";
        fail_later(CloseCause::kTlsFailed);
    }
    if (failure_) return;
    // Puts the ClientHello behind what was collected; without it the server would never say anything.
    if (tls_->handshake() == TlsStream::Outcome::kFailed) {
        tls_failure_ = tls_->failure();
        return fail_later(CloseCause::kTlsFailed);
    }
    flush_output();
    wake_if_needed();
}

void Transport::begin_handshake(std::unique_ptr<TlsStream> stream, TlsStart start) {
    flush_output();
    tls_state_ = TlsState::kHandshaking;
    tls_start_ = start;
    tls_ = std::move(stream);
    if (!tls_) return fail_later(CloseCause::kTlsFailed);
    if (!out_.empty()) {
        // The peer has taken only a part of the reply in front of the handshake: the rest precedes the
        // ciphertext.
        tls_->wire().append(out_.pending());
        out_.clear();
    }
    if (is_showing_) {
        tls_is_new_ = true;  // what on_bytes() leaves is known when it has returned
    } else if (!unconsumed_.empty()) {
        settle_received();
    }
}

void Transport::expect_no_secret() noexcept {
    if (tls_) tls_->keep_plaintext();
}

/// Octets that came before TLS started and that nobody has consumed.
void Transport::settle_received() {
    if (tls_start_ == TlsStart::kWithReceived) {
        tls_->put_in_front(std::exchange(unconsumed_, {}));
    } else {
        tls_failure_ = "octets pipelined in front of the handshake";
        fail_later(CloseCause::kTlsFailed);
    }
}

// ---- writing

std::size_t Transport::unsent() const noexcept {
    return out_.size() + (tls_ ? tls_->wire().size() : 0);
}
bool Transport::is_congested() const noexcept {
    return unsent() > limits_.high_water;
}

/// False while the socket is known to be full: its event flushes.
bool Transport::can_send() const noexcept {
    return is_open() && !failure_ && !is_write_armed_;
}

void Transport::write(ByteView octets) {
    if (!is_open() || failure_) return;
    if (octets.size() >= kLargeWrite && can_send() && tls_state_ != TlsState::kHandshaking) {
        send_large(octets);
    } else {
        out_.append(octets);
        if (out_.size() >= kLargeWrite) flush_output();
    }
    if (unsent() > limits_.high_water) is_congested_ = true;
    if (unsent() > limits_.hard) fail_later(CloseCause::kBufferOverrun);
    note_buffered();
    if (tell_drained_) wake_if_needed();
}

void Transport::flush() {
    loop_.assert_here();
    if (is_holding_ticket_ && out_.empty()) return;
    flush_output();
    if (tell_drained_) wake_if_needed();
}

void Transport::flush_output() {
    if (!can_send()) return;
    is_holding_ticket_ = false;
    if (tls_) {
        encrypt_collected();
        send_buffer(tls_->wire());
    } else {
        send_buffer(out_);
    }
    if (unsent() > limits_.high_water) is_congested_ = true;  // encryption adds to it
    if (is_congested_ && unsent() == 0) {
        is_congested_ = false;
        tell_drained_ = true;
    }
    note_buffered();
}

void Transport::note_buffered() noexcept {
    const std::size_t kept = unconsumed_.size() + unsent();
    if (kept == noted_) return;
    loop_.note_buffered(static_cast<std::ptrdiff_t>(kept) - static_cast<std::ptrdiff_t>(noted_));
    noted_ = kept;
}

void Transport::encrypt_collected() {
    if (tls_state_ != TlsState::kEstablished || out_.empty()) return;
    encrypt(out_.pending());
    out_.clear();
}

void Transport::encrypt(ByteView octets) {
    if (failure_ || tls_->write(octets) == TlsStream::Outcome::kDone) return;
    tls_failure_ = tls_->failure();
    fail_later(CloseCause::kTlsFailed);
}

void Transport::send_large(ByteView octets) {
    if (tls_) {
        encrypt_collected();
        encrypt(octets);
        flush_output();
        return;
    }
    const ByteView collected = out_.pending();
    std::array<iovec, 2> parts{{{const_cast<char*>(collected.data()), collected.size()},
                                {const_cast<char*>(octets.data()), octets.size()}}};
    msghdr message{};
    message.msg_iov = collected.empty() ? &parts[1] : parts.data();
    message.msg_iovlen = collected.empty() ? 1 : 2;
    const ssize_t result = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (result < 0 && !would_block(errno)) return fail_later(cause_of(errno));
    const auto sent = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
    if (sent > 0) has_talked_ = true;
    const std::size_t of_collected = std::min(sent, collected.size());
    const std::size_t whole = collected.size() + octets.size();
    out_.consume(of_collected);
    out_.append(octets.substr(sent - of_collected));
    if (sent < whole) arm_writing();
}

void Transport::send_buffer(OutBuffer& buffer) {
    if (buffer.empty()) return;
    const ByteView octets = buffer.pending();
    const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        if (!would_block(errno)) return fail_later(cause_of(errno));
    } else {
        has_talked_ = true;
        buffer.consume(static_cast<std::size_t>(sent));
    }
    if (!buffer.empty()) arm_writing();
}

void Transport::arm_writing() {
    if (!write_event_) {
        write_event_.reset(
            event_new(loop_.base(), socket_.get(), EV_WRITE | EV_PERSIST, on_write_event, this));
    }
    if (!write_event_ || event_add(write_event_.get(), nullptr) != 0) std::abort();
    is_write_armed_ = true;
}

// ---- ending

CloseCause Transport::cause_of(int error) const noexcept {
    // A reset answers a SYN as ECONNREFUSED; as anything else it means that the connection had been there.
    const bool had_connected = has_talked_ || error == 0 || error == ECONNRESET || error == EPIPE;
    return had_connected ? CloseCause::kDropped : CloseCause::kConnectFailed;
}

void Transport::fail_later(CloseCause cause) {
    if (failure_) return;
    failure_ = cause;
    wake_if_needed();
}

void Transport::report_closed(CloseCause cause) {
    TransportHandler& handler = *handler_;
    release();
    handler.on_closed(*this, cause);
}

void Transport::finish(Duration grace, Duration linger) {
    loop_.assert_here();
    if (!is_open()) return;
    if (tls_) {
        encrypt_collected();
        tls_->close_notify();
    }
    flush_output();
    OutBuffer rest = std::move(tls_ ? tls_->wire() : out_);
    const bool has_unread = more_is_waiting_ || (is_started_ && !is_read_armed_);
    const bool has_more = !rest.empty() || has_unread;
    const bool can_linger = !failure_ && (has_more || linger > Duration::zero());
    UniqueFd socket = std::move(socket_);
    release();
    if (can_linger) Farewell::begin(loop_, std::move(socket), std::move(rest), has_more ? grace : linger);
}

void Transport::close() {
    loop_.assert_here();
    release();
}

void Transport::release() noexcept {
    if (is_queued_) loop_.forget_soon(read_event_.get());
    is_queued_ = false;
    read_event_.reset();
    write_event_.reset();
    tls_.reset();
    tls_state_ = TlsState::kNone;
    std::string().swap(unconsumed_);
    out_.clear();
    note_buffered();
    socket_.reset();
}

}  // namespace gatepost::net

#include "proxy/net/farewell.h"

#include <cerrno>
#include <memory>
#include <sys/socket.h>
#include <utility>

#include <event2/event.h>

namespace gatepost::net {

namespace {

/// A peer that still sends after this much is not going to listen.
constexpr std::size_t kMostDiscarded = 4 * 1024 * 1024;

}  // namespace

void Farewell::begin(EventLoop& loop, UniqueFd socket, OutBuffer rest, Duration grace) {
    std::unique_ptr<Farewell> made(new Farewell(loop, std::move(socket), std::move(rest)));
    Farewell& staying = *made;
    if (!staying.writable_ || !staying.readable_) return;
    loop.adopt(std::move(made));
    staying.grace_.start(grace);
    if (staying.rest_.empty()) {
        staying.send_rest();
    } else {
        event_add(staying.writable_.get(), nullptr);
    }
}

Farewell::Farewell(EventLoop& loop, UniqueFd socket, OutBuffer rest)
    : loop_(loop),
      socket_(std::move(socket)),
      rest_(std::move(rest)),
      writable_(event_new(loop.base(), socket_.get(), EV_WRITE | EV_PERSIST, on_writable, this)),
      readable_(event_new(loop.base(), socket_.get(), EV_READ | EV_PERSIST, on_readable, this)),
      grace_(loop, [this] { leave(); }) {}

void Farewell::on_writable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    static_cast<Farewell*>(self)->send_rest();
}

void Farewell::on_readable(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    static_cast<Farewell*>(self)->discard_some();
}

void Farewell::send_rest() {
    if (!rest_.empty()) {
        const ByteView octets = rest_.pending();
        const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) leave();
            return;
        }
        rest_.consume(static_cast<std::size_t>(sent));
        if (!rest_.empty()) return;
    }
    event_del(writable_.get());
    ::shutdown(socket_.get(), SHUT_WR);
    event_add(readable_.get(), nullptr);
}

void Farewell::discard_some() {
    const std::span<char> space = loop_.read_buffer();
    const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got > 0) discarded_ += static_cast<std::size_t>(got);
    if (got <= 0 || discarded_ > kMostDiscarded) leave();
}

void Farewell::leave() {
    writable_.reset();
    readable_.reset();
    grace_.stop();
    socket_.reset();
    loop_.dismiss(*this);
}

}  // namespace gatepost::net

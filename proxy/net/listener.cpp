#include "proxy/net/listener.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "proxy/net/dialer.h"

namespace gatepost::net {

namespace {

/// The kernel lowers it to net.core.somaxconn.
constexpr int kBacklog = 65535;

std::unexpected<Error> fail_listening(std::string_view address, int error) {
    return fail("cannot listen on " + std::string(address) + ": " + std::generic_category().message(error));
}

void switch_on(int fd, int level, int option) {
    const int on = 1;
    ::setsockopt(fd, level, option, &on, sizeof on);
}

/// A socket file on which nobody answers is left over from a process that ended; anything else stays.
void remove_stale_socket(const SocketAddress& address, const char* path) {
    struct stat found{};
    if (::lstat(path, &found) != 0 || !S_ISSOCK(found.st_mode)) return;
    const auto answering = dial(address);
    if (!answering && answering.error() == ECONNREFUSED) ::unlink(path);
}

bool out_of_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Result<UniqueFd> listen_on(std::string_view address) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) {
        return fail("cannot listen on \"" + std::string(address) +
                    "\": not an address like 0.0.0.0:587, [::]:587 or unix:/path");
    }
    UniqueFd socket(::socket(parsed->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail_listening(address, errno);
    if (parsed->is_ip()) switch_on(socket.get(), SOL_SOCKET, SO_REUSEADDR);
    if (parsed->family() == AF_INET6) switch_on(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY);
    sockaddr_storage storage;
    const socklen_t size = parsed->to_sockaddr(storage);
    const auto* name = reinterpret_cast<const sockaddr*>(&storage);
    if (parsed->is_unix())
        remove_stale_socket(*parsed, parsed->to_string().c_str() + std::string_view("unix:").size());
    if (::bind(socket.get(), name, size) != 0) return fail_listening(address, errno);
    if (::listen(socket.get(), kBacklog) != 0) return fail_listening(address, errno);
    return socket;
}

SocketAddress local_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

SocketAddress peer_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

Acceptor::Acceptor(EventLoop& loop, UniqueFd listening, Handler handler)
    : listening_(std::move(listening)),
      handler_(std::move(handler)),
      watch_(loop, listening_.get(), [this] { accept_some(); }),
      rest_(loop, [this] {
          if (!is_paused_) watch_.resume();
      }) {
    // Linux hands TCP_NODELAY down to accepted sockets: one system call for all of them. Fails on unix
    // sockets, rightly.
    switch_on(listening_.get(), IPPROTO_TCP, TCP_NODELAY);
}

void Acceptor::pause() {
    if (std::exchange(is_paused_, true)) return;
    watch_.pause();
}

void Acceptor::resume() {
    if (!std::exchange(is_paused_, false)) return;
    if (!rest_.is_pending()) watch_.resume();
}

void Acceptor::accept_some() {
    for (int accepted = 0; accepted < kPerTurn && accept_one(); ++accepted) {
    }
}

void Acceptor::accept_rest() {
    for (int accepted = 0; accepted < kQueueAtMost && accept_one(); ++accepted) {
    }
}

/// False: nothing is left to accept, or nothing can be accepted now.
bool Acceptor::accept_one() {
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    UniqueFd socket(::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&storage), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
        handler_(std::move(socket),
                 SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size));
        return true;
    }
    if (!out_of_resources(errno)) return false;  // no more, or the client is gone again
    watch_.pause();
    rest_.start(kRest);
    return false;
}

}  // namespace gatepost::net

#include "proxy/net/dialer.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace gatepost::net {

namespace {

/// 0, or the errno.
int leave_from(int socket, const SocketAddress& source) {
    // A port chosen by bind() is taken whatever the destination, so there would be no more than 28000
    // connections in all. This leaves the choice to connect(), which shares ports between destinations.
    const int on = 1;
    if (::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0) return errno;
    sockaddr_storage storage;
    const socklen_t size = source.with_port(0).to_sockaddr(storage);
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&storage), size) == 0 ? 0 : errno;
}

}  // namespace

std::expected<UniqueFd, int> dial(const SocketAddress& address, const std::optional<SocketAddress>& source) {
    sockaddr_storage storage;
    const socklen_t size = address.to_sockaddr(storage);
    const bool leaves_from_source = source && address.is_ip();
    if (size == 0 || (leaves_from_source && source->family() != address.family()))
        return std::unexpected(EAFNOSUPPORT);
    UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return std::unexpected(errno);
    if (address.is_ip()) {
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (leaves_from_source) {
        if (const int error = leave_from(socket.get(), *source); error != 0) return std::unexpected(error);
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 &&
        errno != EINPROGRESS) {
        return std::unexpected(errno);
    }
    return socket;
}

}  // namespace gatepost::net

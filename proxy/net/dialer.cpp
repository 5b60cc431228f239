#include "proxy/net/dialer.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace gatepost::net {

std::expected<UniqueFd, int> dial(const SocketAddress& address) {
    sockaddr_storage storage;
    const socklen_t size = address.to_sockaddr(storage);
    if (size == 0) return std::unexpected(EAFNOSUPPORT);
    UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return std::unexpected(errno);
    if (address.is_ip()) {
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 &&
        errno != EINPROGRESS) {
        return std::unexpected(errno);
    }
    return socket;
}

}  // namespace gatepost::net

#include "proxy/net/listener.h"

#include <cerrno>
#include <expected>
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

enum class Families : std::uint8_t { kItsOwn, kBoth };

/// The error is an errno.
std::expected<UniqueFd, int> open_listening(const SocketAddress& address, Families families) {
    UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return std::unexpected(errno);
    if (address.is_ip()) switch_on(socket.get(), SOL_SOCKET, SO_REUSEADDR);
    if (address.family() == AF_INET6) {
        // The system's default may be either.
        const int only_v6 = families == Families::kItsOwn ? 1 : 0;
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
    }
    sockaddr_storage storage;
    const socklen_t size = address.to_sockaddr(storage);
    if (address.is_unix())
        remove_stale_socket(address, address.to_string().c_str() + std::string_view("unix:").size());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
        return std::unexpected(errno);
    if (::listen(socket.get(), kBacklog) != 0) return std::unexpected(errno);
    return socket;
}

/// A kernel without IPv6 knows no such socket; one where it is switched off may know no such address.
std::expected<UniqueFd, int> open_on_every_address(std::uint16_t port) {
    constexpr std::string_view kAnyV4{"\0\0\0\0", 4};
    constexpr std::string_view kAnyV6{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16};
    auto both = open_listening(SocketAddress::from_ip_octets(kAnyV6, port), Families::kBoth);
    if (both || (both.error() != EAFNOSUPPORT && both.error() != EADDRNOTAVAIL)) return both;
    return open_listening(SocketAddress::from_ip_octets(kAnyV4, port), Families::kItsOwn);
}

}  // namespace

Result<UniqueFd> listen_on(std::string_view address) {
    const auto every = port_of_every_address(address);
    const auto one = SocketAddress::parse(address);
    if (!every && !one) {
        return fail("cannot listen on \"" + std::string(address) +
                    "\": not an address like *:587, 0.0.0.0:587, [::]:587 or unix:/path");
    }
    auto socket = every ? open_on_every_address(*every) : open_listening(*one, Families::kItsOwn);
    if (!socket) return fail_listening(address, socket.error());
    return std::move(*socket);
}

std::optional<std::uint16_t> port_of_every_address(std::string_view address) {
    constexpr std::string_view kEvery = "*:";
    if (!address.starts_with(kEvery)) return std::nullopt;
    const auto any = SocketAddress::parse("0.0.0.0:" + std::string(address.substr(kEvery.size())));
    return any ? std::optional(any->port()) : std::nullopt;
}

bool takes_both_families(int fd) {
    int only_v6 = 1;
    socklen_t size = sizeof only_v6;
    const SocketAddress bound = local_address(fd);
    return bound.family() == AF_INET6 && bound.is_any() &&
           ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &size) == 0 && only_v6 == 0;
}

std::string listening_address(int fd) {
    const SocketAddress bound = local_address(fd);
    return takes_both_families(fd) ? "*:" + std::to_string(bound.port()) : bound.to_string();
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

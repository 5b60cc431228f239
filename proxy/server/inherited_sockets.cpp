#include "proxy/server/inherited_sockets.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/net/listener.h"

namespace gatepost::server {
namespace {

/// More is no list of sockets but a mistake.
constexpr int kMost = 1024;

std::string take_variable(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
    std::string taken = value == nullptr ? "" : value;
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
    return taken;
}

std::optional<int> number_in(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<int> option_of(int socket, int level, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(socket, level, option, &value, &size) != 0) return std::nullopt;
    return value;
}

/// What keeps connections from being accepted on it; "" when nothing does.
std::string what_is_wrong_with(int descriptor) {
    const std::optional<int> type = option_of(descriptor, SOL_SOCKET, SO_TYPE);
    if (!type) return "is no socket (" + std::generic_category().message(errno) + ")";
    if (*type != SOCK_STREAM) return "is no stream socket; a socket unit says ListenStream=";
    if (option_of(descriptor, SOL_SOCKET, SO_ACCEPTCONN).value_or(0) == 0)
        return "is not listening; a socket unit says Accept=no";
    return "";
}

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> names;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t to = std::min(text.find(':', from), text.size());
        names.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return names;
}

}  // namespace

std::string InheritedSockets::Socket::text() const {
    std::string text = "the inherited descriptor " + std::to_string(number);
    if (!name.empty()) text += " (" + printable(name, 64) + ")";
    return text;
}

std::string InheritedSockets::Socket::what_is_odd() const {
    if (claimed_by.empty())
        return "is for no listener: none has its address or its name, and nobody answers its clients";
    if (takes_both && !is_every) {
        return "takes IPv4 clients too; a socket unit says BindIPv6Only=ipv6-only, or the listener's address "
               "is \"*:" +
               std::to_string(address.port()) + "\"";
    }
    if (is_every && !takes_both) {
        return "does not take clients of both IPv4 and IPv6; a socket unit says ListenStream=" +
               std::to_string(address.port()) + " and BindIPv6Only=both";
    }
    return "";
}

InheritedSockets InheritedSockets::take_from_environment(int first) {
    InheritedSockets taken;
    const std::string pid = take_variable("LISTEN_PID");
    const std::string count = take_variable("LISTEN_FDS");
    std::vector<std::string> names = split_names(take_variable("LISTEN_FDNAMES"));
    // Without both, or with somebody else's number, they are another process's.
    if (count.empty() || number_in(pid) != ::getpid()) return taken;
    const std::optional<int> sockets = number_in(count);
    if (!sockets || *sockets < 0 || *sockets > kMost) {
        taken.problems_.push_back("LISTEN_FDS=" + printable(count, 64) + " is no number of sockets");
        return taken;
    }
    names.resize(static_cast<std::size_t>(*sockets));
    for (int i = 0; i < *sockets; ++i) taken.add(first + i, std::move(names[static_cast<std::size_t>(i)]));
    return taken;
}

void InheritedSockets::add(int descriptor, std::string name) {
    Socket socket;
    socket.number = descriptor;
    socket.name = std::move(name);
    if (const std::string wrong = what_is_wrong_with(descriptor); !wrong.empty()) {
        problems_.push_back(socket.text() + " " + wrong);
        return;
    }
    socket.descriptor = net::UniqueFd(descriptor);
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    socket.address = net::local_address(descriptor);
    socket.takes_both = net::takes_both_families(descriptor);
    sockets_.push_back(std::move(socket));
}

/// "*:587" is also one that has only a family of it: with both there could be no other at that port.
InheritedSockets::Socket* InheritedSockets::bound_to(std::string_view address) {
    const auto every = net::port_of_every_address(address);
    const auto wanted = net::SocketAddress::parse(address);
    Socket* found = nullptr;
    for (Socket& socket : sockets_) {
        if (wanted && socket.address == *wanted) return &socket;
        if (!every || !socket.address.is_any() || socket.address.port() != *every) continue;
        if (socket.takes_both) return &socket;
        if (found == nullptr) found = &socket;
    }
    return found;
}

InheritedSockets::Socket* InheritedSockets::find(std::string_view listener, std::string_view address) {
    if (Socket* const bound = bound_to(address); bound != nullptr) return bound;
    const auto named = std::ranges::find_if(sockets_, [&](const Socket& socket) {
        return socket.name == listener && (socket.claimed_by.empty() || socket.claimed_by == listener);
    });
    return named == sockets_.end() ? nullptr : &*named;
}

Result<net::UniqueFd> InheritedSockets::listen(std::string_view listener, std::string_view address) {
    Socket* const found = find(listener, address);
    if (found == nullptr) return net::listen_on(address);
    net::UniqueFd duplicate(::fcntl(found->descriptor.get(), F_DUPFD_CLOEXEC, kFirst));
    if (!duplicate) return fail(found->text() + ": " + std::generic_category().message(errno));
    found->claimed_by = listener;
    found->is_every = net::port_of_every_address(address).has_value();
    return duplicate;
}

std::vector<std::string> InheritedSockets::warnings() const {
    std::vector<std::string> all;
    for (const Socket& socket : sockets_) {
        if (const std::string odd = socket.what_is_odd(); !odd.empty())
            all.push_back(socket.text() + ", " + socket.address.to_string() + ", " + odd);
    }
    return all;
}

}  // namespace gatepost::server

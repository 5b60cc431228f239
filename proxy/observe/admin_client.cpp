#include "proxy/observe/admin_client.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <netdb.h>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "proxy/base/printable.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::observe {
namespace {

using Kind = AdminFailure::Kind;
using Failed = std::unexpected<AdminFailure>;

constexpr std::size_t kLongestAnswer = std::size_t{64} * 1024 * 1024;

Failed cannot(Kind kind, std::string message) {
    return Failed(AdminFailure{kind, std::move(message)});
}

Failed cannot_reach(const std::string& path, int error) {
    if (error == EACCES || error == EPERM)
        return cannot(Kind::kNotAllowed,
                      "not allowed to ask at " + path + ": only root and the user that Gatepost runs as may");
    if (error == EAGAIN || error == EWOULDBLOCK)
        return cannot(Kind::kUnreachable, "no answer in time at " + path);
    const bool is_gone = error == ENOENT || error == ECONNREFUSED;
    return cannot(Kind::kUnreachable, "nobody answers at " + path + " (" +
                                          std::system_category().message(error) + ")" +
                                          (is_gone ? "; is Gatepost running, with this admin.socket?" : ""));
}

/// The kernel keeps the time of each wait; a peer on this machine that trickles is our own.
void set_timeout(int socket, Duration timeout) {
    const auto whole = std::chrono::ceil<std::chrono::microseconds>(timeout).count();
    const timeval time{.tv_sec = whole / 1'000'000, .tv_usec = whole % 1'000'000};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

std::expected<net::UniqueFd, AdminFailure> connect_to(const std::string& path, Duration timeout) {
    const auto address = net::SocketAddress::from_unix_path(path);
    if (!address) return cannot(Kind::kUnreachable, "not a path that a socket can have: " + printable(path));
    net::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return cannot_reach(path, errno);
    set_timeout(socket.get(), timeout);
    sockaddr_storage storage;
    const socklen_t size = address->to_sockaddr(storage);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
        return cannot_reach(path, errno);
    return socket;
}

struct FreeAddresses {
    void operator()(addrinfo* first) const noexcept { ::freeaddrinfo(first); }
};

std::expected<net::UniqueFd, AdminFailure> connect_to_host(const std::string& address, Duration timeout) {
    const std::size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (colon == std::string::npos || host.empty())
        return cannot(Kind::kUnreachable, "no address: " + printable(address) + "; expected HOST:PORT");
    const bool is_every = host == "*";  // as admin.address may be: then it is asked on the loopback
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error =
            ::getaddrinfo(is_every ? nullptr : host.c_str(), address.c_str() + colon + 1, &hints, &found);
        error != 0)
        return cannot(Kind::kUnreachable, "cannot find " + printable(address) + ": " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, FreeAddresses> all(found);
    int error = ENOENT;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        net::UniqueFd socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!socket) continue;
        set_timeout(socket.get(), timeout);
        if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) == 0) return socket;
        error = errno;
    }
    return cannot(Kind::kUnreachable, "nobody answers at " + printable(address) + " (" +
                                          std::system_category().message(error) +
                                          "); is Gatepost running, with this admin.address?");
}

std::string request_of(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : "\t") + word;
    return line + "\n";
}

/// 0 or why not. A peer that closed already may have said why before.
int send_all(int socket, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t sent = ::send(socket, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent < 0) return errno == EPIPE || errno == ECONNRESET ? 0 : errno;
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return 0;
}

int receive_all(int socket, std::string& answer) {
    std::array<char, 16384> part{};
    while (answer.size() < kLongestAnswer) {
        const ssize_t got = ::recv(socket, part.data(), part.size(), 0);
        if (got == 0) return 0;
        if (got < 0) return errno == ECONNRESET ? 0 : errno;
        answer.append(part.data(), static_cast<std::size_t>(got));
    }
    return EMSGSIZE;
}

}  // namespace

std::expected<std::string, AdminFailure> ask_admin(const std::string& path,
                                                   const std::vector<std::string>& words, Duration timeout) {
    for (const std::string& word : words) {
        if (has_controls(word) || !is_utf8(word))
            return cannot(Kind::kRefused, "cannot be asked for: " + printable(word));
    }
    const auto socket = connect_to(path, timeout);
    if (!socket) return std::unexpected(socket.error());
    std::string answer;
    if (const int error = send_all(socket->get(), request_of(words)); error != 0)
        return cannot_reach(path, error);
    if (const int error = receive_all(socket->get(), answer); error != 0) return cannot_reach(path, error);
    constexpr std::string_view kOk = "ok\n";
    constexpr std::string_view kError = "error\n";
    if (answer.starts_with(kOk)) return answer.substr(kOk.size());
    if (!answer.starts_with(kError))
        return cannot(Kind::kNotAllowed, "closed without an answer at " + path +
                                             ": only root and the user that Gatepost runs as are answered, "
                                             "and not too many at a time");
    std::string why = answer.substr(kError.size());
    if (why.ends_with('\n')) why.pop_back();
    return cannot(Kind::kRefused, std::move(why));
}

std::expected<std::string, AdminFailure> fetch_admin(const std::string& address, const std::string& path,
                                                     Duration timeout) {
    const auto socket = connect_to_host(address, timeout);
    if (!socket) return std::unexpected(socket.error());
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: gatepost\r\n\r\n";
    std::string answer;
    int error = send_all(socket->get(), request);
    if (error == 0) error = receive_all(socket->get(), answer);
    if (error != 0) return cannot(Kind::kUnreachable, "no answer in time at " + printable(address));
    const std::size_t end = answer.find("\r\n\r\n");
    const std::string_view line = std::string_view(answer).substr(0, answer.find("\r\n"));
    if (!line.starts_with("HTTP/1.") || end == std::string::npos)
        return cannot(Kind::kUnreachable,
                      "what answers at " + printable(address) + " is not Gatepost's admin HTTP");
    if (line.substr(line.find(' ') + 1, 3) != "200")
        return cannot(Kind::kRefused, printable(address) + path + " answers " + printable(line));
    return answer.substr(end + 4);
}

}  // namespace gatepost::observe

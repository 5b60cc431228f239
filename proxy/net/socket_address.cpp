#include "proxy/net/socket_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace gatepost::net {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kMappedPrefix{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};
constexpr std::size_t kV4Size = 4;
constexpr std::size_t kV6Size = 16;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

template <typename Sockaddr>
socklen_t put(const Sockaddr& address, sockaddr_storage& storage) {
    static_assert(sizeof(Sockaddr) <= sizeof(sockaddr_storage));
    std::memcpy(&storage, &address, sizeof address);
    return sizeof address;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    if (text.starts_with(kUnixPrefix)) return from_unix_path(text.substr(kUnixPrefix.size()));
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view host = text.substr(0, colon);
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    // "::1:25" would be ambiguous: an IPv6 address in front of a port is bracketed.
    const bool is_v6 = host.find(':') != std::string_view::npos;
    if (!port || is_v6 != host.starts_with('[')) return std::nullopt;
    return from_ip(host, *port);
}

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view ip, std::uint16_t port) {
    const bool is_bracketed = ip.size() > 2 && ip.starts_with('[') && ip.ends_with(']');
    const std::string text(is_bracketed ? ip.substr(1, ip.size() - 2) : ip);
    // inet_pton would stop at a NUL and call the rest an address.
    if (text.find('\0') != std::string::npos) return std::nullopt;
    std::array<char, kV6Size> octets{};
    if (!is_bracketed && ::inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
        return from_ip_octets({octets.data(), kV4Size}, port);
    }
    if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1)
        return from_ip_octets({octets.data(), kV6Size}, port);
    return std::nullopt;
}

SocketAddress SocketAddress::from_ip_octets(std::string_view octets, std::uint16_t port) {
    SocketAddress made;
    if (octets.size() == kV6Size && octets.starts_with(kMappedPrefix))
        octets.remove_prefix(kMappedPrefix.size());
    if (octets.size() != kV4Size && octets.size() != kV6Size) return made;
    made.family_ = octets.size() == kV4Size ? AF_INET : AF_INET6;
    made.port_ = port;
    std::ranges::copy(octets, made.ip_.begin());
    return made;
}

std::optional<SocketAddress> SocketAddress::from_unix_path(std::string_view path) {
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    if (path.find('\0') != std::string_view::npos) return std::nullopt;
    SocketAddress made;
    made.family_ = AF_UNIX;
    made.path_ = path;
    return made;
}

SocketAddress SocketAddress::from_sockaddr(const sockaddr* address, socklen_t size) {
    SocketAddress made;
    if (address == nullptr || size < sizeof(sa_family_t)) return made;
    if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in v4{};
        std::memcpy(&v4, address, sizeof v4);
        const char* octets = reinterpret_cast<const char*>(&v4.sin_addr);
        made = from_ip_octets({octets, kV4Size}, ntohs(v4.sin_port));
    } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, address, sizeof v6);
        const char* octets = reinterpret_cast<const char*>(&v6.sin6_addr);
        made = from_ip_octets({octets, kV6Size}, ntohs(v6.sin6_port));
        if (made.family_ == AF_INET6) made.scope_ = v6.sin6_scope_id;
    } else if (address->sa_family == AF_UNIX) {
        made.family_ = AF_UNIX;
        const char* path = reinterpret_cast<const char*>(address) + offsetof(sockaddr_un, sun_path);
        const std::size_t room = size - std::min<std::size_t>(size, offsetof(sockaddr_un, sun_path));
        made.path_.assign(path, ::strnlen(path, room));
    }
    return made;
}

socklen_t SocketAddress::to_sockaddr(sockaddr_storage& storage) const {
    storage = {};
    switch (family_) {
        case AF_INET: {
            sockaddr_in v4{};
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port_);
            std::memcpy(&v4.sin_addr, ip_.data(), kV4Size);
            return put(v4, storage);
        }
        case AF_INET6: {
            sockaddr_in6 v6{};
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port_);
            v6.sin6_scope_id = scope_;
            std::memcpy(&v6.sin6_addr, ip_.data(), kV6Size);
            return put(v6, storage);
        }
        case AF_UNIX: {
            sockaddr_un local{};
            local.sun_family = AF_UNIX;
            std::memcpy(local.sun_path, path_.data(), path_.size());
            return put(local, storage);
        }
        default: return 0;
    }
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
    SocketAddress made = *this;
    made.port_ = port;
    return made;
}

bool SocketAddress::is_any() const noexcept {
    return is_ip() && ip_octets().find_first_not_of('\0') == std::string_view::npos;
}

std::string_view SocketAddress::ip_octets() const noexcept {
    if (!is_ip()) return {};
    return {ip_.data(), family_ == AF_INET ? kV4Size : kV6Size};
}

std::string SocketAddress::ip_string() const {
    if (is_unix()) return "unix";
    if (!is_ip()) return "unknown";
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family_, ip_.data(), text.data(), text.size());
    return text.data();
}

std::string SocketAddress::to_string() const {
    if (is_unix()) return std::string(kUnixPrefix) + path_;
    if (!is_ip()) return "unknown";
    const std::string ip = family_ == AF_INET6 ? "[" + ip_string() + "]" : ip_string();
    return ip + ":" + std::to_string(port_);
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto network = SocketAddress::from_ip(text.substr(0, slash), 0);
    if (!network || text.starts_with('[')) return std::nullopt;
    const auto width = static_cast<unsigned>(network->ip_octets().size() * 8);
    // "::ffff:192.0.2.0/120" is a block of IPv4 in disguise, whose bits count from another end.
    if (width == kV4Size * 8 && text.find(':') != std::string_view::npos) return std::nullopt;
    Cidr block;
    block.network_ = *network;
    block.bits_ = width;
    if (slash == std::string_view::npos) return block;
    const auto bits = parse_number<unsigned>(text.substr(slash + 1));
    if (!bits || *bits > width) return std::nullopt;
    block.bits_ = *bits;
    const std::string_view octets = network->ip_octets();
    for (unsigned bit = *bits; bit < width; ++bit) {
        if ((static_cast<unsigned char>(octets[bit / 8]) >> (7 - bit % 8) & 1) != 0) return std::nullopt;
    }
    return block;
}

bool Cidr::contains(const SocketAddress& address) const noexcept {
    const std::string_view ours = network_.ip_octets();
    const std::string_view theirs = address.ip_octets();
    if (ours.size() != theirs.size()) return false;
    const std::size_t whole = bits_ / 8;
    if (ours.substr(0, whole) != theirs.substr(0, whole)) return false;
    if (bits_ % 8 == 0) return true;
    const int differing = static_cast<unsigned char>(ours[whole]) ^ static_cast<unsigned char>(theirs[whole]);
    return differing >> (8 - bits_ % 8) == 0;
}

std::string Cidr::to_string() const {
    return network_.ip_string() + "/" + std::to_string(bits_);
}

}  // namespace gatepost::net

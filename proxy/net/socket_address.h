// Values for peers and networks: an IPv4, IPv6 or unix socket address, and a CIDR block. Never asks the DNS.
// Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace gatepost::net {

class SocketAddress {
  public:
    /// The unspecified address: family AF_UNSPEC, printed as "unknown".
    SocketAddress() = default;

    /// "192.0.2.1:587", "[2001:db8::1]:587" or "unix:/path". Numeric only.
    [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);
    /// "192.0.2.1", "2001:db8::1", "[2001:db8::1]"
    [[nodiscard]] static std::optional<SocketAddress> from_ip(std::string_view ip, std::uint16_t port);
    /// Raw octets in network order: 4 or 16 of them.
    [[nodiscard]] static SocketAddress from_ip_octets(std::string_view octets, std::uint16_t port);
    [[nodiscard]] static std::optional<SocketAddress> from_unix_path(std::string_view path);
    /// What accept(), getaddrinfo() and getsockname() give. IPv6-mapped IPv4 becomes IPv4.
    [[nodiscard]] static SocketAddress from_sockaddr(const sockaddr* address, socklen_t size);

    /// Fills `storage` for the kernel and returns the length used.
    [[nodiscard]] socklen_t to_sockaddr(sockaddr_storage& storage) const;

    [[nodiscard]] int family() const noexcept { return family_; }
    [[nodiscard]] bool is_ip() const noexcept { return family_ == AF_INET || family_ == AF_INET6; }
    [[nodiscard]] bool is_unix() const noexcept { return family_ == AF_UNIX; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// The same IP address with another port; not for unix paths.
    [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;
    /// 0.0.0.0 or ::
    [[nodiscard]] bool is_any() const noexcept;
    /// 4 or 16 octets in network order, empty for others; valid as long as this value.
    [[nodiscard]] std::string_view ip_octets() const noexcept;

    /// "192.0.2.1", "2001:db8::1", "unix", "unknown"
    [[nodiscard]] std::string ip_string() const;
    /// "192.0.2.1:587", "[2001:db8::1]:587", "unix:/path", "unknown"
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const SocketAddress&) const = default;

  private:
    std::array<char, 16> ip_{};
    std::uint32_t scope_ = 0;
    std::uint16_t port_ = 0;
    sa_family_t family_ = AF_UNSPEC;
    std::string path_;
};

using Addresses = std::vector<SocketAddress>;

class Cidr {
  public:
    /// "192.0.2.0/24", "2001:db8::/32", or an address alone. Host bits must be zero. Nothing when it is none
    /// of these.
    [[nodiscard]] static std::optional<Cidr> parse(std::string_view text);

    /// Ports do not matter; a unix address is in no network.
    [[nodiscard]] bool contains(const SocketAddress& address) const noexcept;

    [[nodiscard]] std::string to_string() const;

    bool operator==(const Cidr&) const = default;

  private:
    SocketAddress network_;
    unsigned bits_ = 0;
};

}  // namespace gatepost::net

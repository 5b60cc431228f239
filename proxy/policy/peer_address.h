// Who a client is to the rules: an IPv4 or IPv6 address and its network, as the text of keys. Knows no
// socket, port or zone. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::policy {

class PeerAddress {
  public:
    /// No IP address: a unix socket, or unknown.
    PeerAddress() = default;

    /// 4 or 16 octets in network order; anything else is no IP address. IPv4 written as IPv6
    /// (::ffff:192.0.2.1) is IPv4.
    [[nodiscard]] static PeerAddress from_octets(ByteView octets);

    [[nodiscard]] bool is_ip() const noexcept { return size_ != 0; }
    [[nodiscard]] bool is_ipv4() const noexcept { return size_ == 4; }

    /// The same with all bits but the first `bits` cleared.
    [[nodiscard]] PeerAddress network(unsigned bits) const;

    /// "192.0.2.1", "2001:db8::1" (RFC 5952), or "local" when it is no IP address.
    [[nodiscard]] std::string text() const;

    auto operator<=>(const PeerAddress&) const = default;

  private:
    std::array<std::uint8_t, 16> octets_{};  // IPv4: the first four
    std::uint8_t size_ = 0;
};

}  // namespace gatepost::policy

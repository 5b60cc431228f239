#include "proxy/policy/peer_address.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace gatepost::policy {
namespace {

constexpr ByteView kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
constexpr std::size_t kGroups = 8;

void append(std::string& text, unsigned number, int base) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    text.append(digits.data(), end);
}

/// The run of zero groups that "::" stands for: the longest, of two or more, the first of equals.
struct Run {
    std::size_t begin = kGroups;
    std::size_t length = 0;
};

Run longest_zeros(const std::array<unsigned, kGroups>& groups) {
    Run best;
    for (std::size_t at = 0; at < kGroups; ++at) {
        std::size_t end = at;
        while (end < kGroups && groups[end] == 0) ++end;
        if (end - at > std::max<std::size_t>(best.length, 1)) best = {at, end - at};
    }
    return best;
}

std::string ipv6_text(const std::array<std::uint8_t, 16>& octets) {
    std::array<unsigned, kGroups> groups{};
    for (std::size_t at = 0; at < kGroups; ++at) groups[at] = octets[2 * at] * 256U + octets[2 * at + 1];
    const Run zeros = longest_zeros(groups);
    std::string text;
    for (std::size_t at = 0; at < kGroups; ++at) {
        if (at == zeros.begin) {
            text += "::";
            at += zeros.length - 1;
            continue;
        }
        if (!text.empty() && !text.ends_with(':')) text += ':';
        append(text, groups[at], 16);
    }
    return text;
}

}  // namespace

PeerAddress PeerAddress::from_octets(ByteView octets) {
    if (octets.size() == 16 && octets.starts_with(kMapped)) octets.remove_prefix(kMapped.size());
    PeerAddress address;
    if (octets.size() != 4 && octets.size() != 16) return address;
    std::ranges::transform(octets, address.octets_.begin(),
                           [](char octet) { return static_cast<std::uint8_t>(octet); });
    address.size_ = static_cast<std::uint8_t>(octets.size());
    return address;
}

PeerAddress PeerAddress::network(unsigned bits) const {
    PeerAddress network = *this;
    for (std::size_t at = 0; at < size_; ++at) {
        const unsigned begins = static_cast<unsigned>(at) * 8;
        const unsigned kept = bits <= begins ? 0 : std::min(bits - begins, 8U);
        network.octets_[at] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return network;
}

std::string PeerAddress::text() const {
    if (!is_ip()) return "local";
    if (!is_ipv4()) return ipv6_text(octets_);
    std::string text;
    for (std::size_t at = 0; at < size_; ++at) {
        if (at != 0) text += '.';
        append(text, octets_[at], 10);
    }
    return text;
}

}  // namespace gatepost::policy

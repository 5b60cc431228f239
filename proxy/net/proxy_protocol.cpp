#include "proxy/net/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace gatepost::net {

namespace {

constexpr ByteView kV1Prefix = "PROXY ";
constexpr ByteView kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kV2FixedSize = 16;

unsigned octet_at(ByteView octets, std::size_t at) {
    return static_cast<unsigned char>(octets[at]);
}

std::uint16_t number_at(ByteView octets, std::size_t at) {
    return static_cast<std::uint16_t>(octet_at(octets, at) << 8 | octet_at(octets, at + 1));
}

/// Decimal, no sign, no leading zero, at most 65535.
std::optional<std::uint16_t> parse_port(ByteView text) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

/// The address must be of the family that the header names, written without brackets.
std::optional<SocketAddress> parse_address(ByteView ip, ByteView port, bool is_v6) {
    const auto number = parse_port(port);
    if (!number || ip.starts_with('[') || (ip.find(':') != ByteView::npos) != is_v6) return std::nullopt;
    return SocketAddress::from_ip(ip, *number);
}

ProxyParse parse_v1(ByteView octets) {
    const ByteView window = octets.substr(0, kMaxProxyV1Size);
    const std::size_t line_feed = window.find('\n');
    if (line_feed == ByteView::npos) {
        if (window.size() == kMaxProxyV1Size) return ProxyMalformed{"v1 header longer than 107 octets"};
        return ProxyNeedsMore{};
    }
    if (octets[line_feed - 1] != '\r') return ProxyMalformed{"v1 header does not end in CR LF"};
    const ByteView line = octets.substr(0, line_feed - 1);
    ProxyHeader header{
        .consumed = line_feed + 1, .version = 1, .is_local = false, .source = {}, .destination = {}};

    std::array<ByteView, 6> words;
    std::size_t count = 0;
    for (ByteView rest = line;; ++count) {
        if (count == words.size()) return ProxyMalformed{"v1 header with too many words"};
        const std::size_t blank = rest.find(' ');
        words[count] = rest.substr(0, blank);
        if (words[count] == "UNKNOWN" && count == 1) {
            header.is_local = true;  // the specification says to ignore the rest of the line
            return header;
        }
        if (blank == ByteView::npos) break;
        rest.remove_prefix(blank + 1);
    }
    const bool is_v6 = words[1] == "TCP6";
    if (!is_v6 && words[1] != "TCP4") return ProxyMalformed{"v1 header of an unknown family"};
    if (count + 1 != words.size()) return ProxyMalformed{"v1 header with too few words"};
    const auto source = parse_address(words[2], words[4], is_v6);
    const auto destination = parse_address(words[3], words[5], is_v6);
    if (!source || !destination) return ProxyMalformed{"v1 header with a bad address or port"};
    header.source = *source;
    header.destination = *destination;
    return header;
}

ProxyParse parse_v2(ByteView octets) {
    if (octets.size() > 12 && octet_at(octets, 12) >> 4 != 2)
        return ProxyMalformed{"v2 header of an unknown version"};
    if (octets.size() > 12 && (octet_at(octets, 12) & 0xF) > 1)
        return ProxyMalformed{"v2 header with an unknown command"};
    if (octets.size() < kV2FixedSize) return ProxyNeedsMore{};
    const std::size_t size = kV2FixedSize + number_at(octets, 14);
    if (size > kMaxProxyV2Size) return ProxyMalformed{"v2 header longer than 4 KiB"};

    const bool is_local = (octet_at(octets, 12) & 0xF) == 0;
    const unsigned family = octet_at(octets, 13) >> 4;
    const unsigned protocol = octet_at(octets, 13) & 0xF;
    // A LOCAL header says nothing of a client, so what it says does not matter.
    if (!is_local && (family > 3 || protocol > 2))
        return ProxyMalformed{"v2 header of an unknown family or protocol"};
    const std::size_t ip_size = family == 1 ? 4 : 16;
    const bool names_tcp = (family == 1 || family == 2) && protocol == 1;
    if (!is_local && names_tcp && size < kV2FixedSize + 2 * ip_size + 4) {
        return ProxyMalformed{"v2 header too short for its addresses"};
    }
    if (octets.size() < size) return ProxyNeedsMore{};

    ProxyHeader header{.consumed = size, .version = 2, .is_local = true, .source = {}, .destination = {}};
    if (is_local || !names_tcp) return header;
    const ByteView block = octets.substr(kV2FixedSize);
    header.is_local = false;
    header.source = SocketAddress::from_ip_octets(block.substr(0, ip_size), number_at(block, 2 * ip_size));
    header.destination =
        SocketAddress::from_ip_octets(block.substr(ip_size, ip_size), number_at(block, 2 * ip_size + 2));
    return header;
}

}  // namespace

ProxyParse parse_proxy_header(ByteView octets) {
    const auto begins = [octets](ByteView mark) {
        const std::size_t shown = std::min(octets.size(), mark.size());
        return octets.substr(0, shown) == mark.substr(0, shown);
    };
    if (begins(kV1Prefix))
        return octets.size() < kV1Prefix.size() ? ProxyParse(ProxyNeedsMore{}) : parse_v1(octets);
    if (begins(kV2Signature))
        return octets.size() < kV2Signature.size() ? ProxyParse(ProxyNeedsMore{}) : parse_v2(octets);
    return ProxyMalformed{"not a PROXY header"};
}

}  // namespace gatepost::net

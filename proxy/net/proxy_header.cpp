#include "proxy/net/proxy_header.h"

#include <cstddef>

#include "proxy/base/bytes.h"

namespace gatepost::net {
namespace {

constexpr ByteView kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr char kV2Local = '\x20';
constexpr char kV2Proxy = '\x21';
constexpr char kTcp4 = '\x11';
constexpr char kTcp6 = '\x21';
constexpr ByteView kMappedPrefix{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};

bool is_v4(const SocketAddress& address) {
    return address.ip_octets().size() == 4;
}

std::string text_of(const SocketAddress& address, bool as_v6) {
    return (as_v6 && is_v4(address) ? "::ffff:" : "") + address.ip_string();
}

void add_octets(std::string& header, const SocketAddress& address, bool as_v6) {
    if (as_v6 && is_v4(address)) header += kMappedPrefix;
    header += address.ip_octets();
}

void add_number(std::string& header, std::size_t number) {
    header += static_cast<char>(number >> 8 & 0xFF);
    header += static_cast<char>(number & 0xFF);
}

}  // namespace

std::string proxy_header_v1(const SocketAddress& source, const SocketAddress& destination) {
    if (!source.is_ip() || !destination.is_ip()) return "PROXY UNKNOWN\r\n";
    const bool as_v6 = !is_v4(source) || !is_v4(destination);
    std::string header = as_v6 ? "PROXY TCP6 " : "PROXY TCP4 ";
    header += text_of(source, as_v6) + " " + text_of(destination, as_v6) + " ";
    header += std::to_string(source.port()) + " " + std::to_string(destination.port());
    header += kCrlf;
    return header;
}

std::string proxy_header_v2(const SocketAddress& source, const SocketAddress& destination) {
    std::string header(kV2Signature);
    if (!source.is_ip() || !destination.is_ip()) {
        header += kV2Local;
        header += '\0';  // AF_UNSPEC
        add_number(header, 0);
        return header;
    }
    const bool as_v6 = !is_v4(source) || !is_v4(destination);
    std::string block;
    add_octets(block, source, as_v6);
    add_octets(block, destination, as_v6);
    add_number(block, source.port());
    add_number(block, destination.port());
    header += kV2Proxy;
    header += as_v6 ? kTcp6 : kTcp4;
    add_number(header, block.size());
    return header + block;
}

}  // namespace gatepost::net

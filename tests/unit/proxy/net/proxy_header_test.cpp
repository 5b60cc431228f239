#include "proxy/net/proxy_header.h"

#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/proxy_protocol.h"

namespace gatepost::net {
namespace {

SocketAddress address(std::string_view text) {
    return SocketAddress::parse(text).value();
}

const std::string kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);

void expect_read_back(const std::string& octets, int version, const SocketAddress& source,
                      const SocketAddress& destination) {
    const auto parsed = parse_proxy_header(octets + "220 behind\r\n");
    const auto* header = std::get_if<ProxyHeader>(&parsed);
    ASSERT_NE(header, nullptr) << octets;
    EXPECT_EQ(header->consumed, octets.size());
    EXPECT_EQ(header->version, version);
    EXPECT_EQ(header->is_local, !source.is_ip() || !destination.is_ip());
    if (header->is_local) return;
    EXPECT_EQ(header->source, source);
    EXPECT_EQ(header->destination, destination);
}

TEST(ProxyHeader, EveryPair_IsReadBack) {
    const std::vector<SocketAddress> addresses = {
        address("192.0.2.1:12345"),
        address("255.255.255.255:65535"),
        address("[2001:db8::1]:587"),
        address("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        address("[::]:0"),
        address("[::ffff:192.0.2.9]:25"),
        address("unix:/run/gatepost.sock"),
        SocketAddress(),
    };
    for (const SocketAddress& source : addresses) {
        for (const SocketAddress& destination : addresses) {
            SCOPED_TRACE(source.to_string() + " " + destination.to_string());
            const std::string v1 = proxy_header_v1(source, destination);
            EXPECT_LE(v1.size(), kMaxProxyV1Size);
            expect_read_back(v1, 1, source, destination);
            expect_read_back(proxy_header_v2(source, destination), 2, source, destination);
        }
    }
}

TEST(ProxyHeader, V1_IsTheLineOfTheSpecification) {
    const auto v4 = address("192.0.2.1:12345");
    const auto v6 = address("[2001:db8::2]:587");
    EXPECT_EQ(proxy_header_v1(v4, address("198.51.100.2:587")),
              "PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\r\n");
    EXPECT_EQ(proxy_header_v1(v6, address("[2001:db8::1]:25")),
              "PROXY TCP6 2001:db8::2 2001:db8::1 587 25\r\n");
    EXPECT_EQ(proxy_header_v1(v4, v6), "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 12345 587\r\n");
    EXPECT_EQ(proxy_header_v1(v6, v4), "PROXY TCP6 2001:db8::2 ::ffff:192.0.2.1 587 12345\r\n");
    EXPECT_EQ(proxy_header_v1(v4, address("unix:/x")), "PROXY UNKNOWN\r\n");
    EXPECT_EQ(proxy_header_v1(SocketAddress(), v4), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeader, V2_IsTheOctetsOfTheSpecification) {
    const auto v4 = address("192.0.2.1:12345");
    const auto v6 = address("[2001:db8::2]:587");
    EXPECT_EQ(
        proxy_header_v2(v4, address("198.51.100.2:587")),
        kV2Signature + std::string("\x21\x11\x00\x0C\xC0\x00\x02\x01\xC6\x33\x64\x02\x30\x39\x02\x4B", 16));
    const std::string mixed = proxy_header_v2(v4, v6);
    EXPECT_EQ(mixed.substr(0, 32),
              kV2Signature + std::string("\x21\x21\x00\x24\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x01", 20));
    EXPECT_EQ(mixed.size(), 16U + 36U);
    EXPECT_EQ(proxy_header_v2(v4, address("unix:/x")), kV2Signature + std::string("\x20\0\0\0", 4));
}

}  // namespace
}  // namespace gatepost::net

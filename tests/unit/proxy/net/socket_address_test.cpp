#include "proxy/net/socket_address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <gtest/gtest.h>

namespace gatepost::net {
namespace {

TEST(SocketAddress, Parse_GivesBackWhatItPrints) {
    for (const std::string_view text :
         {"192.0.2.1:587", "0.0.0.0:0", "[2001:db8::1]:25", "[::]:65535", "unix:/run/x.sock"}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), text);
        sockaddr_storage storage;
        const socklen_t size = address->to_sockaddr(storage);
        EXPECT_EQ(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size), *address)
            << text;
    }
}

TEST(SocketAddress, Parse_RefusesWhatIsNoNumericAddressWithPort) {
    const std::string long_path = "unix:/" + std::string(200, 'x');
    for (const std::string_view text : {std::string_view(""),
                                        std::string_view(":"),
                                        std::string_view("25"),
                                        std::string_view("192.0.2.1"),
                                        std::string_view("192.0.2.1:"),
                                        std::string_view("192.0.2.1:65536"),
                                        std::string_view("192.0.2.1:-1"),
                                        std::string_view("192.0.2.1:+1"),
                                        std::string_view("192.0.2.1: 1"),
                                        std::string_view("192.0.2.1:1x"),
                                        std::string_view("192.0.2:25"),
                                        std::string_view("192.0.2.256:25"),
                                        std::string_view("::1:25"),
                                        std::string_view("[::1]"),
                                        std::string_view("[::1:25"),
                                        std::string_view("[192.0.2.1]:25"),
                                        std::string_view("[]:25"),
                                        std::string_view("localhost:25"),
                                        std::string_view("unix:"),
                                        std::string_view("192.0.2.1\0:25", 13),
                                        std::string_view(long_path)}) {
        EXPECT_FALSE(SocketAddress::parse(text)) << text;
    }
}

TEST(SocketAddress, MappedIpv4_IsIpv4) {
    const auto mapped = SocketAddress::parse("[::ffff:192.0.2.1]:25");
    ASSERT_TRUE(mapped);
    EXPECT_EQ(mapped->family(), AF_INET);
    EXPECT_EQ(mapped->to_string(), "192.0.2.1:25");
    EXPECT_EQ(mapped, SocketAddress::parse("192.0.2.1:25"));

    sockaddr_in6 from_kernel{};
    from_kernel.sin6_family = AF_INET6;
    from_kernel.sin6_port = htons(25);
    const unsigned char octets[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    std::copy(std::begin(octets), std::end(octets), from_kernel.sin6_addr.s6_addr);
    EXPECT_EQ(
        SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from_kernel), sizeof from_kernel),
        *mapped);
}

TEST(SocketAddress, Strings_ForLogs) {
    EXPECT_EQ(SocketAddress().to_string(), "unknown");
    EXPECT_EQ(SocketAddress().ip_string(), "unknown");
    EXPECT_EQ(SocketAddress::parse("[2001:db8::1]:25")->ip_string(), "2001:db8::1");
    EXPECT_EQ(SocketAddress::parse("192.0.2.1:25")->ip_string(), "192.0.2.1");
    EXPECT_EQ(SocketAddress::parse("unix:/a")->ip_string(), "unix");
    EXPECT_EQ(SocketAddress::parse("192.0.2.1:25")->ip_octets(), std::string("\xC0\x00\x02\x01", 4));
}

TEST(SocketAddress, UnnamedUnixPeer_IsAUnixAddress) {
    sockaddr_un unnamed{};
    unnamed.sun_family = AF_UNIX;
    const auto address =
        SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t));
    EXPECT_TRUE(address.is_unix());
    EXPECT_EQ(address.to_string(), "unix:");
}

TEST(SocketAddress, FromSockaddr_ThatIsTooShort_IsUnknown) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    EXPECT_EQ(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), 4), SocketAddress());
    EXPECT_EQ(SocketAddress::from_sockaddr(nullptr, 0), SocketAddress());
}

TEST(Cidr, Contains_DecidesByTheFirstBits) {
    const auto in = [](std::string_view block, std::string_view ip) {
        return Cidr::parse(block)->contains(*SocketAddress::from_ip(ip, 25));
    };
    EXPECT_TRUE(in("192.0.2.0/24", "192.0.2.255"));
    EXPECT_FALSE(in("192.0.2.0/24", "192.0.3.0"));
    EXPECT_TRUE(in("192.0.2.128/25", "192.0.2.129"));
    EXPECT_FALSE(in("192.0.2.128/25", "192.0.2.127"));
    EXPECT_TRUE(in("10.0.0.0/8", "10.255.0.1"));
    EXPECT_TRUE(in("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(in("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(in("192.0.2.7", "192.0.2.6"));
    EXPECT_TRUE(in("192.0.2.0/24", "::ffff:192.0.2.1"));
    EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
    EXPECT_TRUE(in("::1", "::1"));
    EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(*SocketAddress::parse("unix:/x")));
    EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(SocketAddress()));
}

TEST(Cidr, Parse_RefusesWhatIsNoBlock) {
    for (const std::string_view text : {"", "/", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.1/24",
                                        "2001:db8::/129", "2001:db8::1/64", "192.0.2.0/24/8", "[::1]",
                                        "example.org", "192.0.2.0/2 4", "::ffff:192.0.2.0/120"}) {
        EXPECT_FALSE(Cidr::parse(text)) << text;
    }
    EXPECT_EQ(Cidr::parse("192.0.2.0/24")->to_string(), "192.0.2.0/24");
    EXPECT_EQ(Cidr::parse("::1")->to_string(), "::1/128");
}

}  // namespace
}  // namespace gatepost::net

#include "proxy/policy/peer_address.h"

#include <string>

#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

using namespace std::string_literals;

PeerAddress v6(const std::string& hex) {
    std::string octets;
    for (std::size_t at = 0; at < hex.size(); at += 2) {
        octets += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
    }
    return PeerAddress::from_octets(octets);
}

TEST(PeerAddress, IsWrittenAsPeopleWriteIt) {
    EXPECT_EQ(PeerAddress::from_octets("\xc0\x00\x02\xff"s).text(), "192.0.2.255");
    EXPECT_EQ(v6("20010db8000000000000000000000001").text(), "2001:db8::1");
    EXPECT_EQ(v6("00000000000000000000000000000000").text(), "::");
    EXPECT_EQ(v6("00000000000000000000000000000001").text(), "::1");
    EXPECT_EQ(v6("00010000000000000000000000000000").text(), "1::");
    EXPECT_EQ(v6("20010db8000100010001000100010001").text(), "2001:db8:1:1:1:1:1:1");
    EXPECT_EQ(v6("20010db8000000010001000100010001").text(), "2001:db8:0:1:1:1:1:1");
    EXPECT_EQ(v6("20010db8000000000001000000000001").text(), "2001:db8::1:0:0:1");
    EXPECT_EQ(v6("20010000000000010000000000000001").text(), "2001:0:0:1::1");
}

TEST(PeerAddress, MappedIpv4IsIpv4) {
    const PeerAddress mapped = v6("00000000000000000000ffffc0000201");
    EXPECT_TRUE(mapped.is_ipv4());
    EXPECT_EQ(mapped, PeerAddress::from_octets("\xc0\x00\x02\x01"s));
    EXPECT_FALSE(v6("0000000000000000fffffffec0000201").is_ipv4());
}

TEST(PeerAddress, ANetworkKeepsItsFirstBits) {
    const PeerAddress v4 = PeerAddress::from_octets("\xc0\x00\x02\xff"s);
    EXPECT_EQ(v4.network(24).text(), "192.0.2.0");
    EXPECT_EQ(v4.network(30).text(), "192.0.2.252");
    EXPECT_EQ(v4.network(0).text(), "0.0.0.0");
    EXPECT_EQ(v4.network(32), v4);
    EXPECT_EQ(v4.network(200), v4);
    EXPECT_EQ(v6("20010db80001ffff0000000000000001").network(64).text(), "2001:db8:1:ffff::");
    EXPECT_EQ(v6("20010db80001ffff0000000000000001").network(52).text(), "2001:db8:1:f000::");
}

TEST(PeerAddress, AnythingElseIsNoAddress) {
    EXPECT_FALSE(PeerAddress().is_ip());
    EXPECT_FALSE(PeerAddress::from_octets("12345").is_ip());
    EXPECT_EQ(PeerAddress::from_octets("").text(), "local");
}

}  // namespace
}  // namespace gatepost::policy

#include "proxy/net/proxy_protocol.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::net {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(char version_and_command, char family_and_protocol, const std::string& block) {
    std::string header = kSignature + version_and_command + family_and_protocol;
    header += static_cast<char>(block.size() >> 8);
    header += static_cast<char>(block.size() & 0xFF);
    return header + block;
}

const std::string kV4Block("\xC0\x00\x02\x01\xC6\x33\x64\x02\x30\x39\x02\x4B",
                           12);  // 192.0.2.1:12345 198.51.100.2:587
const std::string kV6Block = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16) +
                             std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16) +
                             std::string("\x30\x39\x02\x4B", 4);
const std::string kTlv("\x04\x00\x03\x00\x00\x00", 6);  // PP2_TYPE_NOOP

struct Good {
    std::string name;
    std::string octets;
    std::string source;
    std::string destination;
    bool is_local = false;
    int version = 1;
};

std::vector<Good> good_headers() {
    return {
        {"v1 tcp4", "PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\r\n", "192.0.2.1:12345", "198.51.100.2:587"},
        {"v1 tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 12345 587\r\n", "[2001:db8::1]:12345",
         "[2001:db8::2]:587"},
        {"v1 longest tcp6",
         "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"v1 unknown", "PROXY UNKNOWN\r\n", "unknown", "unknown", true},
        {"v1 unknown, the longest line of the specification",
         "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "unknown", "unknown", true},
        {"v2 tcp4", v2('\x21', '\x11', kV4Block), "192.0.2.1:12345", "198.51.100.2:587", false, 2},
        {"v2 tcp4 with a TLV", v2('\x21', '\x11', kV4Block + kTlv), "192.0.2.1:12345", "198.51.100.2:587",
         false, 2},
        {"v2 tcp6", v2('\x21', '\x21', kV6Block), "[2001:db8::1]:12345", "[2001:db8::2]:587", false, 2},
        {"v2 with 4 KiB of TLVs", v2('\x21', '\x11', kV4Block + std::string(4096 - 12, '\x04')),
         "192.0.2.1:12345", "198.51.100.2:587", false, 2},
        {"v2 local", v2('\x20', '\0', ""), "unknown", "unknown", true, 2},
        {"v2 local with addresses to be ignored", v2('\x20', '\x11', kV4Block), "unknown", "unknown", true,
         2},
        {"v2 local of a family that does not exist", v2('\x20', '\x77', ""), "unknown", "unknown", true, 2},
        {"v2 unix", v2('\x21', '\x31', std::string(216, 'x')), "unknown", "unknown", true, 2},
        {"v2 unspecified", v2('\x21', '\0', ""), "unknown", "unknown", true, 2},
    };
}

TEST(ProxyProtocol, Header_AtEverySplit_NeedsMoreUntilWholeAndTakesNothingBehind) {
    for (const Good& good : good_headers()) {
        SCOPED_TRACE(good.name);
        for (std::size_t size = 0; size < good.octets.size(); ++size) {
            EXPECT_TRUE(std::holds_alternative<ProxyNeedsMore>(
                parse_proxy_header(ByteView(good.octets).substr(0, size))))
                << size;
        }
        for (const std::string& behind :
             {std::string(), std::string("\x16\x03\x01"), good.octets, std::string("\r\n")}) {
            const auto parsed = parse_proxy_header(good.octets + behind);
            const auto* header = std::get_if<ProxyHeader>(&parsed);
            ASSERT_NE(header, nullptr);
            EXPECT_EQ(header->consumed, good.octets.size());
            EXPECT_EQ(header->version, good.version);
            EXPECT_EQ(header->is_local, good.is_local);
            EXPECT_EQ(header->source.to_string(), good.source);
            EXPECT_EQ(header->destination.to_string(), good.destination);
        }
    }
}

TEST(ProxyProtocol, Malformed_IsNeverTaken) {
    const std::vector<std::pair<std::string, std::string>> bad = {
        {"EHLO x\r\n", "not a PROXY header"},
        {"\x16\x03\x01", "not a PROXY header"},
        {"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "not a PROXY header"},
        {"PROXY\r\n", "not a PROXY header"},
        {std::string("\r\n\r\n\0\r\nQUIX\n", 12), "not a PROXY header"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "v1 header does not end in CR LF"},
        {"PROXY \n", "v1 header does not end in CR LF"},
        {"PROXY \r\n", "v1 header of an unknown family"},
        {"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "v1 header of an unknown family"},
        {"PROXY UNKNOWNX\r\n", "v1 header of an unknown family"},
        {"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", "v1 header of an unknown family"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "v1 header with too few words"},
        {"PROXY TCP4\r\n", "v1 header with too few words"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "v1 header with too many words"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "v1 header with too many words"},
        {"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "v1 header with too many words"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP4 192.0.2.300 192.0.2.2 1 2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP4 ::1 ::2 1 2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "v1 header with a bad address or port"},
        {"PROXY TCP6 [::1] [::2] 1 2\r\n", "v1 header with a bad address or port"},
        {std::string("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", 37), "v1 header with a bad address or port"},
        {"PROXY UNKNOWN " + std::string(200, 'x') + "\r\n", "v1 header longer than 107 octets"},
        {"PROXY TCP4 " + std::string(96, 'x'), "v1 header longer than 107 octets"},
        {v2('\x11', '\x11', kV4Block), "v2 header of an unknown version"},
        {v2('\x31', '\x11', kV4Block), "v2 header of an unknown version"},
        {v2('\x22', '\x11', kV4Block), "v2 header with an unknown command"},
        {v2('\x21', '\x41', kV4Block), "v2 header of an unknown family or protocol"},
        {v2('\x21', '\x13', kV4Block), "v2 header of an unknown family or protocol"},
        {v2('\x21', '\x11', kV4Block.substr(0, 11)), "v2 header too short for its addresses"},
        {v2('\x21', '\x21', kV6Block.substr(0, 35)), "v2 header too short for its addresses"},
        {v2('\x21', '\x11', kV4Block + std::string(4097 - 12, 'x')), "v2 header longer than 4 KiB"},
    };
    for (const auto& [octets, reason] : bad) {
        const auto parsed = parse_proxy_header(octets);
        const auto* malformed = std::get_if<ProxyMalformed>(&parsed);
        ASSERT_NE(malformed, nullptr) << octets;
        EXPECT_EQ(malformed->reason, reason) << octets;
        // Once malformed, no further octet makes it good; before, it is either
        // unfinished or malformed.
        for (std::size_t size = 0; size < octets.size(); ++size) {
            EXPECT_FALSE(
                std::holds_alternative<ProxyHeader>(parse_proxy_header(ByteView(octets).substr(0, size))));
        }
    }
}

TEST(ProxyProtocol, LengthThatCannotBe_IsRefusedBeforeItIsReceived) {
    const std::string huge = kSignature + "\x21\x11\xFF\xFF";
    EXPECT_TRUE(std::holds_alternative<ProxyMalformed>(parse_proxy_header(huge)));
    const std::string wrong_version = kSignature + "\x11";
    EXPECT_TRUE(std::holds_alternative<ProxyMalformed>(parse_proxy_header(wrong_version)));
}

TEST(ProxyProtocol, MappedAddress_IsIpv4) {
    const auto parsed = parse_proxy_header("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n");
    EXPECT_EQ(std::get<ProxyHeader>(parsed).source.to_string(), "192.0.2.1:1");
}

}  // namespace
}  // namespace gatepost::net

#include "proxy/net/dns_query.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::net::testing {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

constexpr int kA = 1;
constexpr int kCname = 5;
constexpr int kTxt = 16;
constexpr int kAaaa = 28;

std::string two_octets(std::size_t number) {
    return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

/// "mta.test" in labels.
std::string wire(std::string_view name) {
    std::string made;
    while (!name.empty()) {
        const std::string_view label = name.substr(0, name.find('.'));
        (made += static_cast<char>(label.size())) += label;
        name.remove_prefix(std::min(label.size() + 1, name.size()));
    }
    return made + '\0';
}

/// An answer to the question for `name`, made by hand.
class Message {
  public:
    explicit Message(std::string_view name = "mta.test", int type = kA)
        : question_(wire(name) + two_octets(type) + two_octets(1)) {}

    Message& add(const std::string& owner_octets, int type, std::uint32_t ttl, std::string_view data) {
        answers_ += owner_octets + two_octets(type) + two_octets(1) + two_octets(ttl >> 16) +
                    two_octets(ttl & 0xffff) + two_octets(data.size());
        answers_ += data;
        ++count_;
        return *this;
    }
    /// Of the name in the question, by a pointer to it.
    Message& add(int type, std::uint32_t ttl, std::string_view data) {
        return add(std::string("\xc0\x0c"), type, ttl, data);
    }
    Message& rcode(int code) {
        rcode_ = code;
        return *this;
    }
    Message& cut() {
        flags_ |= 0x02;
        return *this;
    }
    Message& count(std::size_t count) {
        count_ = count;
        return *this;
    }

    [[nodiscard]] std::string octets() const {
        return two_octets(4711) + static_cast<char>(0x81 | flags_) + static_cast<char>(0x80 | rcode_) +
               two_octets(1) + two_octets(count_) + two_octets(0) + two_octets(0) + question_ + answers_;
    }

  private:
    std::string question_;
    std::string answers_;
    std::size_t count_ = 0;
    int rcode_ = 0;
    int flags_ = 0;
};

/// From octets of their own, so that a sanitizer sees each that is read beyond.
std::expected<DnsAnswer, DnsFailure> parse(std::string_view octets) {
    const std::vector<unsigned char> exact(octets.begin(), octets.end());
    return parse_dns_answer(exact, 25);
}
std::expected<DnsAnswer, DnsFailure> parse(const Message& message) {
    return parse(message.octets());
}

std::vector<std::string> strings(const Addresses& addresses) {
    std::vector<std::string> made;
    for (const SocketAddress& address : addresses) made.push_back(address.to_string());
    return made;
}

const std::string kFirst("\xc0\x00\x02\x01", 4);
const std::string kSecond("\xc0\x00\x02\x02", 4);
const std::string kSixth("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06", 16);

TEST(DnsAnswer, OfAddresses_HasThemAllAndTheSmallestTtl) {
    const auto answer = parse(Message().add(kA, 60, kFirst).add(kA, 30, kSecond));
    ASSERT_TRUE(answer);
    EXPECT_THAT(strings(answer->addresses), ElementsAre("192.0.2.1:25", "192.0.2.2:25"));
    EXPECT_EQ(answer->ttl, 30s);
    EXPECT_FALSE(answer->is_cut);
}

TEST(DnsAnswer, OfIpv6_HasItsAddress) {
    const auto answer = parse(Message("mta.test", kAaaa).add(kAaaa, 5, kSixth));
    ASSERT_TRUE(answer);
    EXPECT_THAT(strings(answer->addresses), ElementsAre("[2001:db8::6]:25"));
}

TEST(DnsAnswer, BehindAliases_HoldsNoLongerThanEachOfThem) {
    const auto answer = parse(Message("MTA.test")
                                  .add(wire("b.test"), kCname, 7, wire("c.test"))
                                  .add(kCname, 300, wire("B.test"))
                                  .add(wire("c.test"), kA, 100, kFirst));
    ASSERT_TRUE(answer);
    EXPECT_THAT(strings(answer->addresses), ElementsAre("192.0.2.1:25"));
    EXPECT_EQ(answer->ttl, 7s);
}

TEST(DnsAnswer, ForAnotherName_DoesNotCount) {
    const auto answer = parse(Message().add(wire("evil.test"), kA, 1, kFirst).add(kA, 60, kSecond));
    ASSERT_TRUE(answer);
    EXPECT_THAT(strings(answer->addresses), ElementsAre("192.0.2.2:25"));
    EXPECT_EQ(answer->ttl, 60s);
}

TEST(DnsAnswer, OfATtlThatIsNone_Is0) {
    EXPECT_EQ(parse(Message().add(kA, 0x80000000U, kFirst))->ttl, 0s);
    EXPECT_EQ(parse(Message().add(kA, 0x7fffffffU, kFirst))->ttl, std::chrono::seconds(0x7fffffff));
}

TEST(DnsAnswer, WithoutAddresses_SaysWhy) {
    EXPECT_EQ(parse(Message().rcode(3)).error(), DnsFailure::kNoSuchName);
    EXPECT_EQ(parse(Message()).error(), DnsFailure::kNoAddress);
    EXPECT_EQ(parse(Message().add(kCname, 1, wire("b.test"))).error(), DnsFailure::kNoAddress);
    EXPECT_EQ(parse(Message().add(kTxt, 1, "\x01x")).error(), DnsFailure::kNoAddress);
    EXPECT_EQ(parse(Message().rcode(2)).error(), DnsFailure::kUnavailable);
    EXPECT_EQ(parse(Message().rcode(5)).error(), DnsFailure::kUnavailable);
}

TEST(DnsAnswer, OfAWrongLength_IsNoAddress) {
    EXPECT_EQ(parse(Message().add(kA, 1, "\x7f\x01\x01")).error(), DnsFailure::kNoAddress);
    EXPECT_EQ(parse(Message().add(kAaaa, 1, kFirst)).error(), DnsFailure::kNoAddress);
}

TEST(DnsAnswer, ThatIsCut_SaysSo) {
    const auto answer = parse(Message().add(kA, 60, kFirst).cut());
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->is_cut);
}

TEST(DnsAnswer, OfAliasesInALoop_IsMalformed) {
    EXPECT_EQ(parse(Message().add(kCname, 1, wire("b.test")).add(wire("b.test"), kCname, 1, wire("mta.test")))
                  .error(),
              DnsFailure::kMalformed);
}

TEST(DnsAnswer, OfPointersInALoop_IsMalformed) {
    const std::size_t behind_question = Message().octets().size();
    const std::string itself = two_octets(0xc000 | behind_question);
    EXPECT_EQ(parse(Message().add(itself, kA, 1, kFirst)).error(), DnsFailure::kMalformed);
    // The target of an alias: two pointers at each other, behind a head of 12 octets.
    const std::string ring =
        two_octets(0xc000 | (behind_question + 14)) + two_octets(0xc000 | (behind_question + 12));
    EXPECT_EQ(parse(Message().add(kCname, 1, ring)).error(), DnsFailure::kMalformed);
}

TEST(DnsAnswer, CutAnywhere_IsMalformed) {
    const std::string whole = Message()
                                  .add(kCname, 300, wire("b.test"))
                                  .add(wire("b.test"), kA, 60, kFirst)
                                  .add(wire("b.test"), kAaaa, 60, kSixth)
                                  .octets();
    ASSERT_TRUE(parse(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(parse(whole.substr(0, size)).error(), DnsFailure::kMalformed) << size;
    EXPECT_EQ(parse(whole + "x").error(), DnsFailure::kMalformed);
    EXPECT_EQ(parse(Message().add(kA, 1, kFirst).count(2)).error(), DnsFailure::kMalformed);
}

TEST(DnsAnswer, WithAnyOctetChanged_IsReadWithinItsBounds) {
    const std::string whole = Message()
                                  .add(kCname, 300, wire("b.test"))
                                  .add(wire("b.test"), kA, 60, kFirst)
                                  .add(wire("b.test"), kAaaa, 60, kSixth)
                                  .octets();
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (int octet = 0; octet < 256; ++octet) {
            std::string changed = whole;
            changed[at] = static_cast<char>(octet);
            const auto answer = parse(changed);
            if (answer) {
                EXPECT_FALSE(answer->addresses.empty());
                EXPECT_GE(answer->ttl, 0s);
            }
        }
    }
}

TEST(DnsAnswer, OfGarbage_IsAFailure) {
    EXPECT_FALSE(parse(""));
    EXPECT_FALSE(parse("HTTP/1.1 400 Bad Request\r\n\r\n"));
    EXPECT_FALSE(parse(std::string(70000, '\0')));
    std::uint32_t state = 1;
    for (int round = 0; round < 20000; ++round) {
        std::string noise(state >> 8 & 0xff, '\0');
        for (char& octet : noise) octet = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
        state = state * 1664525 + 1013904223;
        EXPECT_TRUE(!parse(noise) || !parse(noise)->addresses.empty());
    }
}

}  // namespace
}  // namespace gatepost::net::testing

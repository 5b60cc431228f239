// Quantities and addresses, both ways.
#include "conf/units.h"

#include <gtest/gtest.h>

#include "conf/check.h"
#include "conf/environment.h"

namespace gatepost::conf {
namespace {

TEST(Duration, ReadsOneNumberAndOneUnit) {
    EXPECT_EQ(parse_duration("250ms"), Milliseconds(250));
    EXPECT_EQ(parse_duration("30s"), Milliseconds(30'000));
    EXPECT_EQ(parse_duration("5m"), Milliseconds(300'000));
    EXPECT_EQ(parse_duration("1h"), Milliseconds(3'600'000));
    EXPECT_EQ(parse_duration("1d"), Milliseconds(86'400'000));
    EXPECT_EQ(parse_duration("0s"), Milliseconds(0));
    for (const char* const wrong : {"", "5", "s", "-1s", "+1s", " 1s", "1 s", "1s ", "1.5s", "1h30m", "1S",
                                    "1us", "9223372036854775807d", "99999999999999999999s"}) {
        EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
    }
}

TEST(Duration, IsWrittenInTheLargestUnitThatKeepsItWhole) {
    for (const char* const text : {"0s", "250ms", "90s", "5m", "1h", "25h", "2d"}) {
        EXPECT_EQ(to_text(*parse_duration(text)), text);
    }
    EXPECT_EQ(to_text(Milliseconds(60'000)), "1m");
    EXPECT_EQ(to_text(Milliseconds(1)), "1ms");
}

TEST(Size, KnowsBinaryAndDecimalUnits) {
    EXPECT_EQ(parse_size("64KiB"), 65536U);
    EXPECT_EQ(parse_size("50MiB"), 52'428'800U);
    EXPECT_EQ(parse_size("1GiB"), 1U << 30);
    EXPECT_EQ(parse_size("1KB"), 1000U);
    EXPECT_EQ(parse_size("1kB"), 1000U);
    EXPECT_EQ(parse_size("1MB"), 1'000'000U);
    EXPECT_EQ(parse_size("1234"), 1234U);
    for (const char* const wrong : {"", "MiB", "-1", "1 MiB", "1mib", "1M", "1.5MiB", "9999999999999TiB"}) {
        EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
    }
    EXPECT_EQ(size_to_text(52'428'800), "50MiB");
    EXPECT_EQ(size_to_text(1'000'000), "1000000");
    EXPECT_EQ(size_to_text(0), "0");
}

TEST(Rate, HasACountAndATimeAndNeitherIsZero) {
    EXPECT_EQ(parse_rate("100/1h"), (Rate{100, Milliseconds(3'600'000)}));
    EXPECT_EQ(parse_rate("1KiB/1s"), (Rate{1024, Milliseconds(1000)}));
    EXPECT_EQ(to_text(*parse_rate("20/600s")), "20/10m");
    for (const char* const wrong :
         {"", "100", "100/", "/1h", "0/1h", "100/0s", "100/1h/2", "a/1h", "100/h"}) {
        EXPECT_EQ(parse_rate(wrong), std::nullopt) << wrong;
    }
}

TEST(Rate, WhereANumberAloneWillDoItHasNoTime) {
    EXPECT_EQ(parse_rate_or_count("5"), (Rate{5, Milliseconds(0)}));
    EXPECT_FALSE(parse_rate_or_count("5")->has_time());
    EXPECT_EQ(to_text(*parse_rate_or_count("5")), "5");
    EXPECT_EQ(parse_rate_or_count("5/1h"), parse_rate("5/1h"));
    for (const char* const wrong : {"", "0", "five", "5/", "/1h", "5/0s", "-5"})
        EXPECT_EQ(parse_rate_or_count(wrong), std::nullopt) << wrong;
}

TEST(Network, HoldsBothFamiliesInOneForm) {
    const auto ipv4 = parse_network("192.0.2.77/24");
    ASSERT_TRUE(ipv4);
    EXPECT_EQ(ipv4->text, "192.0.2.0/24");
    EXPECT_EQ(ipv4->prefix, 120U);
    EXPECT_TRUE(ipv4->contains(parse_network("192.0.2.255")->address));
    EXPECT_FALSE(ipv4->contains(parse_network("192.0.3.0")->address));
    EXPECT_FALSE(ipv4->contains(parse_network("2001:db8::1")->address));
    const auto ipv6 = parse_network("2001:db8::/33");
    ASSERT_TRUE(ipv6);
    EXPECT_TRUE(ipv6->contains(parse_network("2001:db8:7fff::1")->address));
    EXPECT_FALSE(ipv6->contains(parse_network("2001:db8:8000::1")->address));
    EXPECT_EQ(parse_network("::ffff:0:0/96")->text, "0.0.0.0/0");
    EXPECT_EQ(parse_network("::ffff:192.0.2.0/120")->text, "192.0.2.0/24");
    EXPECT_TRUE(parse_network("0.0.0.0/0")->contains(parse_network("203.0.113.9")->address));
    EXPECT_FALSE(parse_network("0.0.0.0/0")->contains(parse_network("::1")->address));
    EXPECT_TRUE(parse_network("::/0")->contains(parse_network("203.0.113.9")->address));
    EXPECT_EQ(parse_network("192.0.2.1")->text, "192.0.2.1/32");
    for (const char* const wrong : {"", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24",
                                    "::/129", "mta.internal", "[::1]", "192.0.2.0/24 "}) {
        EXPECT_FALSE(parse_network(wrong)) << wrong;
    }
}

TEST(Endpoint, IsAHostAndPortOrASocket) {
    EXPECT_EQ(parse_endpoint("mta.internal:25")->host, "mta.internal");
    EXPECT_EQ(parse_endpoint("[2001:DB8::25]:25")->text, "[2001:db8::25]:25");
    EXPECT_EQ(parse_endpoint("unix:/run/mta.sock")->path, "/run/mta.sock");
    for (const char* const wrong :
         {"", ":25", "mta", "mta:", "mta:0", "mta:65536", "mta:-1", "::1:25", "[::1]", "[::1]25",
          "[192.0.2.1]:25", "unix:", "unix:run/mta.sock", "a..b:25", ".a:25", "a b:25", "mta:25x"}) {
        EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
    }
    EXPECT_EQ(parse_endpoint("*:587")->text, "*:587");
    for (const char* const wrong : {"*", "*:", "*:0", "**:25", "[*]:25", "*.internal:25"})
        EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
    EXPECT_FALSE(parse_endpoint("unix:/" + std::string(107, 'a'))) << "longer than a socket's name may be";
}

TEST(Nearest, IsNearOrNothing) {
    const std::vector<std::string_view> words = {"starttls", "implicit", "none"};
    EXPECT_EQ(nearest("startls", words), "starttls");
    EXPECT_EQ(nearest("impliict", words), "implicit");
    EXPECT_EQ(nearest("completely-different", words), std::nullopt);
    EXPECT_EQ(nearest(std::string(100'000, 'x'), words), std::nullopt);
}

TEST(Expand, ReplacesNamesAndKeepsTheRest) {
    const Environment environment = [](const std::string& name) -> std::optional<std::string> {
        return name == "A_1" ? std::optional<std::string>("one") : std::nullopt;
    };
    EXPECT_EQ(*expand("", environment), "");
    EXPECT_EQ(*expand("x${A_1}y${A_1}", environment), "xoneyone");
    EXPECT_EQ(*expand("$$ $ $x $${A_1} {A_1}", environment), "$ $ $x ${A_1} {A_1}");
    for (const char* const wrong : {"${", "${}", "${A_1", "${B}", "${1A}", "${A 1}", "${${A_1}}", "$$${"}) {
        EXPECT_FALSE(expand(wrong, environment)) << wrong;
    }
}

TEST(YamlScalar, QuotesWhatYamlWouldReadAsSomethingElse) {
    EXPECT_EQ(yaml_scalar("plain-word_1/a"), "plain-word_1/a");
    EXPECT_EQ(yaml_scalar(""), "\"\"");
    EXPECT_EQ(yaml_scalar("off"), "\"off\"");
    EXPECT_EQ(yaml_scalar("1.2"), "\"1.2\"");
    EXPECT_EQ(yaml_scalar("a: b"), "\"a: b\"");
    EXPECT_EQ(yaml_scalar("a\"\\$"), "\"a\\\"\\\\$$\"");
}

}  // namespace
}  // namespace gatepost::conf

#include "proxy/smtp/received.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "proxy/base/printable.h"
#include "tests/unit/proxy/smtp/body_model.h"

namespace gatepost::smtp {
namespace {

using namespace std::chrono_literals;

WallTime at(int year, unsigned month, unsigned day, std::chrono::seconds of_day) {
    return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) +
           of_day;
}

TraceFacts facts() {
    return {.greeting_name = "client.example",
            .client_address = "192.0.2.1",
            .our_name = "mx.example.org",
            .session_id = "abc-1",
            .esmtp = true,
            .tls = true,
            .authenticated = true,
            .smtputf8 = false,
            .time = at(2026, 11, 21, 1h + 2min + 3s)};
}

TEST(MessageDate, IsRfc5322InUtc) {
    EXPECT_EQ(message_date(at(2026, 11, 21, 1h + 2min + 3s)), "Sat, 21 Nov 2026 01:02:03 +0000");
    EXPECT_EQ(message_date(at(1970, 1, 1, 0s)), "Thu, 01 Jan 1970 00:00:00 +0000");
    EXPECT_EQ(message_date(at(2024, 2, 29, 23h + 59min + 59s)), "Thu, 29 Feb 2024 23:59:59 +0000");
    EXPECT_EQ(message_date(at(2099, 12, 31, 12h)), "Thu, 31 Dec 2099 12:00:00 +0000");
}

TEST(MessageDate, KnowsEveryMonth) {
    std::string months;
    for (unsigned month = 1; month <= 12; ++month)
        months += message_date(at(2026, month, 1, 0s)).substr(8, 3);
    EXPECT_EQ(months, "JanFebMarAprMayJunJulAugSepOctNovDec");
}

TEST(Received, SaysWhoGaveTheMessageToWhom) {
    EXPECT_EQ(received_field(facts()),
              "Received: from client.example ([192.0.2.1])\r\n"
              "\tby mx.example.org with ESMTPSA id abc-1;\r\n"
              "\tSat, 21 Nov 2026 01:02:03 +0000\r\n");
}

TEST(Received, WritesAnIpv6AddressAsALiteral) {
    TraceFacts v6 = facts();
    v6.client_address = "2001:db8::1";
    EXPECT_NE(received_field(v6).find("([IPv6:2001:db8::1])"), std::string::npos);
}

TEST(Received, NamesTheProtocolAsRfc3848And6531Do) {
    const auto with = [](bool esmtp, bool tls, bool authenticated, bool smtputf8) {
        TraceFacts some = facts();
        some.esmtp = esmtp;
        some.tls = tls;
        some.authenticated = authenticated;
        some.smtputf8 = smtputf8;
        const std::string field = received_field(some);
        const std::size_t begin = field.find(" with ") + 6;
        return field.substr(begin, field.find(" id ") - begin);
    };
    EXPECT_EQ(with(false, false, false, false), "SMTP");
    EXPECT_EQ(with(true, false, false, false), "ESMTP");
    EXPECT_EQ(with(true, true, false, false), "ESMTPS");
    EXPECT_EQ(with(true, false, true, false), "ESMTPA");
    EXPECT_EQ(with(true, true, true, false), "ESMTPSA");
    EXPECT_EQ(with(true, false, false, true), "UTF8SMTP");
    EXPECT_EQ(with(true, true, true, true), "UTF8SMTPSA");
}

TEST(Received, AHostileGreetingNameCannotLeaveItsPlace) {
    for (const ByteView name : {"x\r\nBcc: y", "x)\r\n\tby evil", "a b", "a(b)", "a;b", "<script>", "a\\b",
                                "\"q\"", "gr\xC3\xBC\xC3\x9F", "\x1B[31m"}) {
        TraceFacts hostile = facts();
        hostile.greeting_name = name;
        const std::string field = received_field(hostile);
        const std::string shown = field.substr(15, field.find(" ([") - 15);
        EXPECT_EQ(shown.size(), name.size());
        EXPECT_EQ(shown.find_first_of(" \t\r\n()<>;\\\"\x1B"), std::string::npos) << shown;
        EXPECT_EQ(std::ranges::count(field, '\n'), 3);
        EXPECT_EQ(test::bare_newline_in(field), field.size());
    }
}

TEST(Received, NamesTheUserWhereThatIsWanted) {
    TraceFacts named = facts();
    named.user = "ann+x@example.org";
    EXPECT_EQ(received_field(named),
              "Received: from client.example ([192.0.2.1])\r\n"
              "\t(authenticated as ann+x@example.org)\r\n"
              "\tby mx.example.org with ESMTPSA id abc-1;\r\n"
              "\tSat, 21 Nov 2026 01:02:03 +0000\r\n");
}

TEST(Received, AHostileUserNameCannotLeaveItsPlace) {
    for (int octet = 0; octet < 256; ++octet) {
        TraceFacts hostile = facts();
        const std::string user = std::string("a") + static_cast<char>(octet) + "b";
        hostile.user = user;
        const std::string field = received_field(hostile);
        constexpr ByteView kBefore = "(authenticated as a";
        const std::size_t begin = field.find(kBefore) + kBefore.size();
        const std::string shown = field.substr(begin, field.find(")\r\n\tby ") - begin - 1);
        EXPECT_EQ(shown.find_first_of(" \t\r\n()<>,;:\\\"[]"), std::string::npos) << octet;
        EXPECT_TRUE(is_ascii(shown)) << octet;
        EXPECT_TRUE(shown.size() == 1 || (shown.size() == 3 && shown[0] == '%')) << octet;
        EXPECT_EQ(std::ranges::count(field, '\n'), 4);
        EXPECT_EQ(test::bare_newline_in(field), field.size());
    }
}

TEST(Received, TheLongestUserNameFitsIntoALine) {
    TraceFacts longest = facts();
    const std::string name(255, '\xFF');
    const std::string without = received_field(longest);
    for (const std::string& user : {name, name + name}) {
        longest.user = user;
        const std::string field = received_field(longest);
        EXPECT_LE(field.size() - without.size(), 1024U) << "what commands.cpp keeps free for it";
        for (std::size_t begin = 0; begin < field.size();) {
            const std::size_t end = field.find("\r\n", begin);
            EXPECT_LE(end - begin, 998U);
            begin = end + 2;
        }
    }
}

TEST(Received, ShortensAnEndlessNameAndFillsAnEmptyOne) {
    TraceFacts odd = facts();
    const std::string endless(100'000, 'x');
    odd.greeting_name = endless;
    EXPECT_LT(received_field(odd).size(), 500U);
    odd.greeting_name = "";
    EXPECT_TRUE(received_field(odd).starts_with("Received: from unknown (["));
}

}  // namespace
}  // namespace gatepost::smtp

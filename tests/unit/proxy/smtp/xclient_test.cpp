#include "proxy/smtp/xclient.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAll = "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";

XclientFacts facts() {
    return {.address = "192.0.2.1",
            .port = 12345,
            .name = "client.example.org",
            .helo = "laptop",
            .esmtp = true,
            .login = "anna@example.org",
            .destination_address = "198.51.100.2",
            .destination_port = 587};
}

TEST(Xclient, Command_TellsAllThatWasAnnouncedAndTheAddressLast) {
    EXPECT_EQ(xclient_command(kAll, facts()).value(),
              "XCLIENT NAME=client.example.org PORT=12345 PROTO=ESMTP HELO=laptop LOGIN=anna@example.org "
              "DESTADDR=198.51.100.2 DESTPORT=587 ADDR=192.0.2.1\r\n");
    EXPECT_EQ(xclient_command("name login addr", facts()).value(),
              "XCLIENT NAME=client.example.org LOGIN=anna@example.org ADDR=192.0.2.1\r\n");
}

TEST(Xclient, Command_OfIpv6SaysSo) {
    XclientFacts v6 = facts();
    v6.address = "2001:db8::1";
    v6.destination_address = "2001:db8::2";
    EXPECT_EQ(xclient_command("ADDR DESTADDR LOGIN", v6).value(),
              "XCLIENT LOGIN=anna@example.org DESTADDR=IPV6:2001:db8::2 ADDR=IPV6:2001:db8::1\r\n");
}

TEST(Xclient, Command_SaysUnavailableForWhatIsNotKnown) {
    EXPECT_EQ(xclient_command(kAll, {}).value(),
              "XCLIENT NAME=[UNAVAILABLE] PORT=[UNAVAILABLE] PROTO=SMTP HELO=[UNAVAILABLE] "
              "LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE] ADDR=[UNAVAILABLE]\r\n");
    XclientFacts local = facts();
    local.address = "unix";
    EXPECT_THAT(xclient_command(kAll, local).value(), EndsWith(" ADDR=[UNAVAILABLE]\r\n"));
}

TEST(Xclient, Command_EncodesWhatClientsSay) {
    XclientFacts odd = facts();
    odd.helo = "a b\r\nMAIL=+\xC3\xA4";
    odd.login = "an na=+1\n";
    EXPECT_EQ(xclient_command("HELO LOGIN ADDR", odd).value(),
              "XCLIENT HELO=a+20b+0D+0AMAIL+3D+2B+C3+A4 LOGIN=an+20na+3D+2B1+0A ADDR=192.0.2.1\r\n");
}

TEST(Xclient, Name_ThatNoHostCanHave_IsUnavailable) {
    for (const std::string_view name : {"a..b", ".a", "a.", "-a.b", "a-.b", "a b", "192.0.2.1", "1", "a\r\nb",
                                        "[UNAVAILABLE]", "b\xC3\xBC"}) {
        XclientFacts odd = facts();
        odd.name = name;
        EXPECT_EQ(xclient_command("NAME ADDR LOGIN", odd).value(),
                  "XCLIENT NAME=[UNAVAILABLE] LOGIN=anna@example.org ADDR=192.0.2.1\r\n")
            << name;
    }
    XclientFacts fine = facts();
    const std::string longest = std::string(63, 'a') + "._srv-1.0.example";
    fine.name = longest;
    EXPECT_THAT(xclient_command(kAll, fine).value(), HasSubstr("NAME=" + longest + " "));
    const std::string label = std::string(64, 'a') + ".example";
    fine.name = label;
    EXPECT_THAT(xclient_command(kAll, fine).value(), HasSubstr("NAME=[UNAVAILABLE] "));
}

TEST(Xclient, Command_NeverExceeds512OctetsNorTouchesTheLogin) {
    std::string longest_name;
    for (int i = 0; i < 85; ++i) longest_name += "ab.";
    longest_name.pop_back();
    for (std::size_t name = 1; name <= longest_name.size(); name += 6) {
        for (std::size_t helo = 1; helo <= 300; helo += 7) {
            for (const std::size_t login : {1U, 40U, 120U, 255U}) {
                const std::string helo_text(helo, 'h');
                const std::string login_text(login, 'l');
                const std::string name_text = longest_name.substr(0, name);
                XclientFacts full = facts();
                full.name = name_text;
                full.helo = helo_text;
                full.login = login_text;
                full.address = full.destination_address = "1111:2222:3333:4444:5555:6666:7777:8888";
                full.port = full.destination_port = 65535;
                const std::string line = xclient_command(kAll, full).value();
                EXPECT_LE(line.size(), 512U);
                EXPECT_THAT(line, HasSubstr(" LOGIN=" + login_text + " "));
                EXPECT_THAT(line, EndsWith(" ADDR=IPV6:1111:2222:3333:4444:5555:6666:7777:8888\r\n"));
            }
        }
    }
}

TEST(Xclient, Helo_GoesBeforeTheNameWhenBothDoNotFit) {
    XclientFacts full = facts();
    const std::string helo(250, 'h');
    const std::string login(200, 'l');
    full.helo = helo;
    full.login = login;
    const std::string line = xclient_command(kAll, full).value();
    EXPECT_THAT(line, HasSubstr(" NAME=client.example.org "));
    EXPECT_THAT(line, HasSubstr(" HELO=[UNAVAILABLE] "));
    EXPECT_THAT(xclient_command("HELO LOGIN ADDR", full).value(), HasSubstr(helo));
}

TEST(Xclient, Login_ThatCannotBeTold_IsAnErrorThatDoesNotNameIt) {
    const std::string longest(255, 'l');
    EXPECT_TRUE(xclient_login("LOGIN", longest).has_value());
    const std::string too_long(256, 'l');
    const std::string too_long_encoded(86, '+');
    for (const std::string_view login :
         {std::string_view(too_long), std::string_view(too_long_encoded), std::string_view("[UNAVAILABLE]"),
          std::string_view("[unavailable]"), std::string_view("[TEMPUNAVAIL]")}) {
        XclientFacts odd = facts();
        odd.login = login;
        const auto command = xclient_command(kAll, odd);
        ASSERT_FALSE(command.has_value()) << login;
        EXPECT_THAT(command.error().message, Not(HasSubstr(std::string(login))));
        EXPECT_FALSE(xclient_login("LOGIN", login).has_value()) << login;
    }
}

TEST(Xclient, Login_Alone) {
    EXPECT_EQ(xclient_login("NAME ADDR LOGIN", "anna+x").value(), "XCLIENT LOGIN=anna+2Bx\r\n");
    EXPECT_EQ(xclient_login("LOGIN", "").value(), "XCLIENT LOGIN=[UNAVAILABLE]\r\n");
}

TEST(Xclient, WhatWasNotAnnounced_IsAnErrorWhereItIsNeeded) {
    EXPECT_FALSE(xclient_command("", facts()).has_value());
    EXPECT_FALSE(xclient_command("NAME LOGIN DESTADDR", facts()).has_value()) << "no ADDR";
    EXPECT_FALSE(xclient_command("NAME ADDR", facts()).has_value()) << "no LOGIN, and there is one";
    EXPECT_FALSE(xclient_login("NAME ADDR", "anna").has_value());
    EXPECT_FALSE(xclient_login("NAME ADDR", "").has_value());
    XclientFacts nobody = facts();
    nobody.login = "";
    EXPECT_EQ(xclient_command("ADDR", nobody).value(), "XCLIENT ADDR=192.0.2.1\r\n");
}

TEST(Xclient, CanTell_WhatWasAnnounced) {
    EXPECT_TRUE(can_tell_client(kAll) && can_tell_login(kAll));
    EXPECT_TRUE(can_tell_client("addr") && can_tell_login("Login"));
    EXPECT_FALSE(can_tell_client("DESTADDR LOGIN"));
    EXPECT_FALSE(can_tell_login("ADDR LOGINS"));
    EXPECT_FALSE(can_tell_client("") || can_tell_login(""));
}

}  // namespace
}  // namespace gatepost::smtp

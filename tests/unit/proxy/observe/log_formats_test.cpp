// What JSON and logfmt lines look like whatever is put into them (text: log_sink_test.cpp).
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proxy/base/printable.h"
#include "proxy/observe/log_escape.h"
#include "proxy/observe/log_line.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;
using conf::LogEvent;
using conf::LogField;
using conf::LogFormat;

std::string line_of(LogFormat format, LogEvent event, std::initializer_list<LogPair> fields) {
    std::string line;
    LogLine::append(line, format, event, fields);
    return line;
}

nlohmann::json json_of(LogEvent event, std::initializer_list<LogPair> fields) {
    return nlohmann::json::parse("{" + line_of(LogFormat::Json, event, fields) + "}");
}

std::string escaped(std::string_view octets, std::size_t limit = 256, std::string_view also = {}) {
    std::string out;
    append_escaped(out, octets, limit, also);
    return out;
}

TEST(JsonLine, NumbersAreNumbersAndDurationsAreSeconds) {
    EXPECT_EQ(line_of(LogFormat::Json, LogEvent::session,
                      {{LogField::session, "7f-1"},
                       {LogField::client_port, std::uint16_t{587}},
                       {LogField::resumed, false},
                       {LogField::errors, -3},
                       {LogField::sent, std::uint64_t{18446744073709551615U}},
                       {LogField::user, ""},
                       {LogField::duration, 61005ms}}),
              R"("event":"session","session":"7f-1","client_port":587,"resumed":false,"errors":-3,)"
              R"("sent":18446744073709551615,"duration":61.005)");
    const nlohmann::json read =
        json_of(LogEvent::message, {{LogField::from, ""}, {LogField::duration, -1500ms}});
    EXPECT_EQ(read["from"], "") << "the null sender is said";
    EXPECT_EQ(read["duration"], -1.5);
}

TEST(JsonLine, TextOfAnyOctetsIsReadBackAsItWas) {
    for (const std::string_view user :
         {"alice", "DOM\\alice", "a\"b", "x\r\ny", "a=b", "j\xc3\xbcrgen", "\x1b[2J"})
        EXPECT_EQ(json_of(LogEvent::auth_failed, {{LogField::user, user}})["user"], user);
}

TEST(JsonLine, OfEveryTwoOctets_ItIsOneLineOfValidJson) {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string user{static_cast<char>(first), static_cast<char>(second)};
            const std::string line =
                line_of(LogFormat::Json, LogEvent::auth_failed, {{LogField::user, user}});
            ASSERT_FALSE(has_controls(line)) << first << ' ' << second;
            ASSERT_TRUE(is_utf8(line)) << first << ' ' << second;
            const nlohmann::json read = nlohmann::json::parse("{" + line + "}", nullptr, false);
            ASSERT_TRUE(read.is_object() && read.size() == 2) << line;
            if (is_utf8(user)) {
                ASSERT_EQ(read["user"], user);
            }
        }
    }
}

TEST(JsonLine, NothingFromOutsideLooksLikeAMember) {
    const std::string line =
        line_of(LogFormat::Json, LogEvent::auth_failed, {{LogField::user, R"(x","client_ip":"192.0.2.1)"}});
    EXPECT_EQ(line, R"("event":"auth_failed","user":"x\",\"client_ip\":\"192.0.2.1")");
}

TEST(LogfmtLine, QuotesWhereItMust_AndNothingFromOutsideLooksLikeAField) {
    const auto user = [](std::string_view name) {
        return line_of(LogFormat::Logfmt, LogEvent::auth_failed, {{LogField::user, name}});
    };
    EXPECT_EQ(user("alice@example.org"), "event=auth_failed user=alice@example.org");
    EXPECT_EQ(user(""), "event=auth_failed");
    EXPECT_EQ(user("a b"), "event=auth_failed user=\"a b\"");
    EXPECT_EQ(user("x\" client_ip=192.0.2.1"), R"(event=auth_failed user="x\" client_ip\u003d192.0.2.1")");
    EXPECT_EQ(user("DOM\\alice"), R"(event=auth_failed user="DOM\\alice")");
    EXPECT_EQ(user("\n"), R"(event=auth_failed user="\u000a")");
}

TEST(LogfmtLine, EveryOctetStaysOnItsLineAndInItsQuotes) {
    for (int octet = 0; octet < 256; ++octet) {
        const std::string line = line_of(LogFormat::Logfmt, LogEvent::auth_failed,
                                         {{LogField::user, std::string{'a', static_cast<char>(octet), 'b'}}});
        EXPECT_FALSE(has_controls(line)) << octet;
        EXPECT_TRUE(is_utf8(line)) << octet;
        EXPECT_EQ(std::ranges::count(line, '='), 2) << octet;
    }
}

TEST(LogEscape, WhatIsNotUtf8BecomesTheReplacementCharacter) {
    const std::string replaced = "\xEF\xBF\xBD";
    EXPECT_EQ(escaped("\xff"), replaced);
    EXPECT_EQ(escaped("a\xc3"), "a" + replaced);
    EXPECT_EQ(escaped("\xed\xa0\x80"), replaced + replaced + replaced) << "a surrogate";
    EXPECT_EQ(escaped("\xe2\x82\xac"), "\xe2\x82\xac");
    EXPECT_EQ(escaped("\xc2\x85\x7f\x01"), "\\u0085\\u007f\\u0001");
}

TEST(LogEscape, WhatEndsALineOrTurnsTheWritingIsSeen) {
    EXPECT_EQ(escaped("a\u2028b\u2029c"), "a\\u2028b\\u2029c");
    EXPECT_EQ(escaped("\u202Egpj.exe\u2066\u200F"), "\\u202egpj.exe\\u2066\\u200f");
}

TEST(LogEscape, LongTextIsCutBetweenCharacters) {
    EXPECT_EQ(escaped("abcd", 4), "abcd");
    EXPECT_EQ(escaped("abcde", 4), "abcd...");
    EXPECT_EQ(escaped("abc\xc3\xbc", 4), "abc...");
    EXPECT_EQ(escaped("abc\xc3\xbc", 5), "abc\xc3\xbc");
}

}  // namespace
}  // namespace gatepost::observe

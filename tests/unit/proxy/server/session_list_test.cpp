// Filters of sessions, and their list as lines that hostile names cannot break.
#include "proxy/server/session_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::server {
namespace {

using testing::HasSubstr;

Result<SessionFilter> parse(std::vector<std::string> words) {
    return parse_filter(words);
}

TEST(SessionFilter, OfWords_IsWhatAllOfThemSay) {
    const auto filter = parse({"user=alice@example.com", "ip=2001:DB8::0:1", "listener=a", "session=x-0-1"});
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->client_ip, "2001:db8::1");
    SessionRow row;
    row.id = "x-0-1";
    row.listener = "a";
    row.client_ip = "2001:db8::1";
    row.user = "alice@example.com";
    EXPECT_TRUE(fits(*filter, row));
    row.user = "alice";
    EXPECT_FALSE(fits(*filter, row));
    EXPECT_TRUE(fits(*parse({}), row));
    EXPECT_TRUE(is_empty(*parse({})));
    EXPECT_EQ(filter_text(*parse({"ip=192.0.2.1", "user=a b"})), "user a b, ip 192.0.2.1");
    EXPECT_EQ(filter_text({}), "all");
}

TEST(SessionFilter, OfANetwork_IsWhoIsInIt) {
    const auto is_in = [](const char* word, const char* ip) {
        SessionRow row;
        row.client_ip = ip;
        return fits(*parse({word}), row);
    };
    EXPECT_TRUE(is_in("ip=192.0.2.0/24", "192.0.2.200"));
    EXPECT_FALSE(is_in("ip=192.0.2.0/24", "192.0.3.1"));
    EXPECT_FALSE(is_in("ip=192.0.2.0/24", "2001:db8::1"));
    EXPECT_FALSE(is_in("ip=0.0.0.0/0", "unix"));
    EXPECT_TRUE(is_in("ip=2001:DB8::/32", "2001:db8:7::1"));
    EXPECT_FALSE(is_in("ip=192.0.2.1", "192.0.2.10"));
    EXPECT_FALSE(is_empty(*parse({"ip=192.0.2.0/24"}))) << "or it would be everybody";
    EXPECT_EQ(filter_text(*parse({"ip=192.0.2.0/24"})), "ip 192.0.2.0/24");
}

TEST(SessionFilter, ThatMeansNothing_IsRefused) {
    for (const char* word :
         {"", "user", "user=", "=x", "helo=x", "all", "ip=192.0.2", "ip=192.0.2.1/24", "ip=192.0.2.0/33"})
        EXPECT_FALSE(parse({word})) << word;
    EXPECT_FALSE(parse({"user=a", "user=b"}));
}

TEST(SessionTable, OfHostileNames_StaysOneLineASession) {
    SessionRow row;
    row.id = "x-0-1";
    row.listener = "a";
    row.client_ip = "192.0.2.1";
    row.user = "b\nx\ty";
    row.helo = "\x1b[2J\t\xff";
    row.age = std::chrono::milliseconds(61'900);
    row.sent = 7;
    row.mechanism = "PLAIN";
    EXPECT_EQ(
        session_table({row}),
        std::string(kSessionColumns) +
            "\nx-0-1\ta\t192.0.2.1\tb\\x0ax\\x09y\t\\x1b[2J\\x09\\xff\t-\t-\t-\t61\t0\t0\t7\tPLAIN\t-\n");
}

TEST(SessionTable, HasTheOldestFirst_AndSaysWhenThereAreMore) {
    std::vector<SessionRow> rows(3);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].id = "s" + std::to_string(i);
        rows[i].age = std::chrono::seconds(i);
    }
    const std::string all = session_table(rows);
    EXPECT_LT(all.find("\ns2\t"), all.find("\ns0\t"));
    EXPECT_THAT(session_table(rows, 100), testing::EndsWith("\nmore\n"));
    EXPECT_THAT(session_table(rows, 100), testing::Not(HasSubstr("\ns0\t")));
}

}  // namespace
}  // namespace gatepost::server

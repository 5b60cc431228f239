#include "backends/redis/reply_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "backends/redis/redis_command.h"
#include "backends/redis/redis_credential.h"

namespace gatepost::backends {
namespace {

std::string text_of(const RedisReply& reply) {
    switch (reply.kind) {
        case RedisReply::Kind::kNil: return "nil";
        case RedisReply::Kind::kStatus: return "+" + std::string(reply.octets.reveal());
        case RedisReply::Kind::kError: return "-" + std::string(reply.octets.reveal());
        case RedisReply::Kind::kText: return "'" + std::string(reply.octets.reveal()) + "'";
        case RedisReply::Kind::kInteger: return std::to_string(reply.integer);
        case RedisReply::Kind::kArray: break;
    }
    std::string all = "[";
    for (const RedisReply& item : reply.items) all += text_of(item) + ",";
    return all + "]";
}

/// Every reply, "broken" at the end if it came to that; fed in pieces of at most `most`.
std::string read_all(std::string_view octets, std::size_t most, std::size_t limit = 1000,
                     std::size_t items = 100) {
    ReplyReader reader(limit, items);
    std::string all;
    for (std::size_t at = 0; at < octets.size(); at += most) {
        reader.feed(octets.substr(at, most));
        RedisReply reply;
        ReplyReader::Status status;
        while ((status = reader.next(reply)) == ReplyReader::Status::kReply) all += text_of(reply) + " ";
        if (status == ReplyReader::Status::kBroken) return all + "broken";
    }
    return all;
}

TEST(ReplyReader, Replies_AreTheSameAtEverySplit) {
    const std::string octets =
        "+OK\r\n-ERR no\r\n:42\r\n$5\r\na\r\nbc\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n"
        "*3\r\n*2\r\n:1\r\n$1\r\nx\r\n+s\r\n*1\r\n*1\r\n$-1\r\n";
    for (std::size_t most = 1; most <= octets.size(); ++most) {
        EXPECT_EQ(read_all(octets, most), "+OK -ERR no 42 'a\r\nbc' nil '' [] nil [[1,'x',],+s,[[nil,],],] ")
            << most;
    }
}

TEST(ReplyReader, WhatIsNotResp2_IsBroken) {
    for (const char* octets : {"HTTP/1.1 400\r\n", "%1\r\n+a\r\n+b\r\n", "_\r\n", "$-7\r\n", "*x\r\n",
                               "#t\r\n", ",1.5\r\n", ">1\r\n+a\r\n", "*1\r\n_\r\n"}) {
        for (const std::size_t most : {1U, 100U}) EXPECT_EQ(read_all(octets, most), "broken") << octets;
    }
    EXPECT_EQ(read_all("+OK\r\n?\r\n", 100), "+OK broken");
}

TEST(ReplyReader, AReplyThatIsTooLarge_IsBrokenAtEverySplit) {
    const std::string fits = "$90\r\n" + std::string(90, 'x') + "\r\n";
    const std::string large = "$99\r\n" + std::string(99, 'x') + "\r\n";
    const std::string many = "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n";
    for (const std::size_t most : {1U, 7U, 1000U}) {
        EXPECT_EQ(read_all(fits + fits, most, 100),
                  "'" + std::string(90, 'x') + "' '" + std::string(90, 'x') + "' ");
        EXPECT_EQ(read_all("+OK\r\n" + large, most, 100), "+OK broken");
        EXPECT_EQ(read_all(many, most, 1000, 6), "[1,2,3,4,5,] ");
        EXPECT_EQ(read_all(many, most, 1000, 5), "broken");
        EXPECT_EQ(read_all("*2147483647\r\n+a\r\n", most), "") << "a promise costs nothing";
    }
}

TEST(ReplyReader, ErrorCode_ShowsNothingButTheCode) {
    ReplyReader reader;
    RedisReply reply;
    reader.feed("-WRONGTYPE Operation against\r\n-bad password hunter2\r\n-ERR\r\n+OK\r\n");
    std::string codes;
    while (reader.next(reply) == ReplyReader::Status::kReply) codes += std::string(reply.error_code()) + ",";
    EXPECT_EQ(codes, "WRONGTYPE,error,ERR,,");
}

TEST(RedisCommand, Words_AreBinarySafe) {
    const Secret command = format_command({"AUTH", std::string_view("a\0\r\n", 4), ""});
    EXPECT_EQ(command.reveal(), std::string_view("*3\r\n$4\r\nAUTH\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n", 30));
}

auth::Lookup judge(std::string_view octets) {
    ReplyReader reader;
    RedisReply reply;
    reader.feed(octets);
    EXPECT_EQ(reader.next(reply), ReplyReader::Status::kReply);
    return lookup_of(reply, "bob");
}

TEST(RedisCredential, Hash_BecomesACredential) {
    const auto lookup = judge(
        "*12\r\n+record\r\n$6\r\n{P}abc\r\n$13\r\nscram-sha-256\r\n$1\r\nx\r\n$7\r\nsenders\r\n$3\r\na b\r\n"
        "$11\r\nlimit_class\r\n$4\r\nbulk\r\n$8\r\nupstream\r\n$5\r\nother\r\n$5\r\nphone\r\n$1\r\n7\r\n");
    EXPECT_EQ(lookup.status, auth::Lookup::Status::kUnavailable) << "a field is a bulk string";
    const auto good = judge(
        "*12\r\n$6\r\nrecord\r\n$6\r\n{P}abc\r\n$13\r\nscram-sha-256\r\n$1\r\nx\r\n$7\r\nsenders\r\n$3\r\na "
        "b\r\n"
        "$11\r\nlimit_class\r\n$4\r\nbulk\r\n$8\r\nupstream\r\n$5\r\nother\r\n$5\r\nphone\r\n$1\r\n7\r\n");
    ASSERT_EQ(good.status, auth::Lookup::Status::kFound);
    EXPECT_EQ(good.credential->user, "bob");
    EXPECT_EQ(good.credential->record.reveal(), "{P}abc");
    EXPECT_EQ(good.credential->scram.reveal(), "{SCRAM-SHA-256}x");
    EXPECT_FALSE(good.credential->disabled);
    EXPECT_EQ(good.credential->attributes,
              (std::map<std::string, std::string>{
                  {"senders", "a b"}, {"limit_class", "bulk"}, {"upstream", "other"}}));
}

TEST(RedisCredential, ScramAlone_IsTheRecordWithOrWithoutItsScheme) {
    EXPECT_EQ(judge("*2\r\n$13\r\nscram-sha-256\r\n$10\r\n4096,s,k,v\r\n").credential->record.reveal(),
              "{SCRAM-SHA-256}4096,s,k,v");
    EXPECT_EQ(judge("*2\r\n$13\r\nscram-sha-256\r\n$16\r\n{SCRAM-SHA-256}x\r\n").credential->record.reveal(),
              "{SCRAM-SHA-256}x");
    const auto none = judge("*2\r\n$13\r\nscram-sha-256\r\n$0\r\n\r\n");
    ASSERT_EQ(none.status, auth::Lookup::Status::kFound) << "who has no record is known all the same";
    EXPECT_TRUE(none.credential->record.empty());
    EXPECT_TRUE(none.credential->scram.empty());
}

TEST(RedisCredential, Disabled_IsAnythingButAClearNo) {
    for (const char* value : {"1", "yes", "true", "x", "2"}) {
        const std::string octets =
            "*2\r\n$8\r\ndisabled\r\n$" + std::to_string(std::string(value).size()) + "\r\n" + value + "\r\n";
        EXPECT_TRUE(judge(octets).credential->disabled) << value;
    }
    for (const char* value : {"", "0", "no", "False", "off"}) {
        const std::string octets =
            "*2\r\n$8\r\ndisabled\r\n$" + std::to_string(std::string(value).size()) + "\r\n" + value + "\r\n";
        EXPECT_FALSE(judge(octets).credential->disabled) << value;
    }
}

TEST(RedisCredential, OtherAnswers_CannotBeJudgedButAnEmptyHashIsNobody) {
    EXPECT_EQ(judge("*0\r\n").status, auth::Lookup::Status::kUnknown);
    for (const char* octets :
         {"-WRONGTYPE no\r\n", "$-1\r\n", "+OK\r\n", ":1\r\n", "*-1\r\n", "*1\r\n$1\r\na\r\n",
          "*2\r\n$6\r\nrecord\r\n$-1\r\n", "*2\r\n$6\r\nrecord\r\n*0\r\n"})
        EXPECT_EQ(judge(octets).status, auth::Lookup::Status::kUnavailable) << octets;
}

TEST(RedisCredential, Key_TakesTheUserAsItIs) {
    EXPECT_EQ(redis_key("gatepost:user:{user}", "b{user}\n"), "gatepost:user:b{user}\n");
    EXPECT_EQ(redis_key("{user}:x:{user}", "a"), "a:x:a");
    EXPECT_EQ(redis_key("all", "a"), "all");
}

}  // namespace
}  // namespace gatepost::backends

#include "proxy/smtp/reply_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/proxy/smtp/at_every_split.h"

namespace gatepost::smtp {
namespace {

using test::Pending;
using test::Pieces;
using Status = ReplyReader::Status;

/// "[250 text]" for each reply; "nonsense" ends the story.
std::string replies_in(const Pieces& pieces) {
    ReplyReader reader;
    Pending pending;
    std::string story;
    for (const ByteView piece : pieces) {
        pending.add(piece);
        for (bool more = true; more;) {
            const ReplyReader::Result result = reader.next(pending.view());
            pending.consume(result.consumed);
            switch (result.status) {
                case Status::kReply:
                    story += '[' + std::to_string(reader.reply().code) + ' ' +
                             printable(reader.reply().text) + ']';
                    break;
                case Status::kNonsense: return story + "nonsense";
                case Status::kNeedMore: more = false; break;
            }
        }
        EXPECT_LE(pending.view().size(), ReplyReader::kMaxLine + 1) << "memory is not bounded";
    }
    return story;
}

std::string story(ByteView octets) {
    return test::story_at_every_split(octets, replies_in);
}

TEST(ReplyReader, ReadsOneLine) {
    EXPECT_EQ(story("250 2.0.0 OK\r\n"), "[250 2.0.0 OK]");
    EXPECT_EQ(story("250\r\n"), "[250 ]");
    EXPECT_EQ(story("250 \r\n"), "[250 ]");
    EXPECT_EQ(story("354 go\r\n550 no\r\n"), "[354 go][550 no]");
}

TEST(ReplyReader, JoinsLines) {
    EXPECT_EQ(story("250-one\r\n250-\r\n250 three\r\n"), "[250 one\\x0a\\x0athree]");
    EXPECT_EQ(story("250-one\r\n250\r\n"), "[250 one\\x0a]");
    EXPECT_EQ(story("250-a\r\n250 b\r\n421-c\r\n421 d\r\n"), "[250 a\\x0ab][421 c\\x0ad]");
}

TEST(ReplyReader, AcceptsABareLineFeed) {
    EXPECT_EQ(story("220 old\n250-a\n250 b\n"), "[220 old][250 a\\x0ab]");
}

TEST(ReplyReader, WaitsForTheRest) {
    EXPECT_EQ(story("250"), "");
    EXPECT_EQ(story("250 OK"), "");
    EXPECT_EQ(story("250 OK\r"), "");
    EXPECT_EQ(story("250-OK\r\n"), "");
}

TEST(ReplyReader, CallsEverythingElseNonsense) {
    for (const ByteView octets : {"\r\n",
                                  "\n",
                                  "25\r\n",
                                  "2x0 OK\r\n",
                                  "050 OK\r\n",
                                  "150 OK\r\n",
                                  "650 OK\r\n",
                                  "260 OK\r\n",
                                  "299\r\n",
                                  "2500 OK\r\n",
                                  "250OK\r\n",
                                  "250_OK\r\n",
                                  "250\tOK\r\n",
                                  " 250 OK\r\n",
                                  "-250 OK\r\n",
                                  "EHLO x\r\n",
                                  "HTTP/1.1 400 Bad Request\r\n",
                                  "250-a\r\n251 b\r\n",
                                  "250-a\r\n550 b\r\n",
                                  "250-a\r\nb\r\n",
                                  "250-a\r\n\r\n"}) {
        EXPECT_EQ(story(octets), "nonsense") << printable(octets);
    }
    EXPECT_EQ(story("250 OK\r\nbye\r\n"), "[250 OK]nonsense");
}

TEST(ReplyReader, KeepsOddOctetsForTheEncoder) {
    EXPECT_EQ(story(ByteView("250 a\0b\rc\xFF\r\n", 13)), "[250 a\\x00b\\x0dc\\xff]");
}

TEST(ReplyReader, EndlessLineIsNonsense) {
    ReplyReader reader;
    EXPECT_EQ(reader.next("250 " + std::string(ReplyReader::kMaxLine, 'x')).status, Status::kNonsense);
    ReplyReader whole;
    EXPECT_EQ(whole.next("250 " + std::string(ReplyReader::kMaxLine, 'x') + "\r\n").status,
              Status::kNonsense);
}

TEST(ReplyReader, LongestLineIsTheSameAtEverySplitNearItsEnd) {
    for (const std::size_t size :
         {ReplyReader::kMaxLine - 1, ReplyReader::kMaxLine, ReplyReader::kMaxLine + 1}) {
        const std::string line = "250 " + std::string(size - 4, 'x') + "\r\n";
        const std::string whole = replies_in({line});
        for (std::size_t cut = line.size() - 6; cut < line.size(); ++cut) {
            EXPECT_EQ(replies_in({ByteView(line).substr(0, cut), ByteView(line).substr(cut)}), whole)
                << size << " cut at " << cut;
        }
    }
}

TEST(ReplyReader, EndlessReplyIsNonsense) {
    ReplyReader reader;
    std::size_t lines = 0;
    Status status = Status::kNeedMore;
    for (; status == Status::kNeedMore && lines < 1'000'000; ++lines) status = reader.next("250-\r\n").status;
    EXPECT_EQ(status, Status::kNonsense);
    EXPECT_LE(lines, ReplyReader::kMaxText + 2);
}

TEST(ReplyReader, ForgetsTheReplyBefore) {
    ReplyReader reader;
    EXPECT_EQ(reader.next("550-a\r\n550 b\r\n250 c\r\n").consumed, 14U) << "one reply at a time";
    EXPECT_EQ(reader.reply().text, "a\nb");
    EXPECT_EQ(reader.next("250 c\r\n").status, Status::kReply);
    EXPECT_EQ(reader.reply().code, 250);
    EXPECT_EQ(reader.reply().text, "c");
}

}  // namespace
}  // namespace gatepost::smtp

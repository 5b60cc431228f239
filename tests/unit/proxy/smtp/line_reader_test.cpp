#include "proxy/smtp/line_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/proxy/smtp/at_every_split.h"

namespace gatepost::smtp {
namespace {

using test::Pending;
using test::Pieces;
using Status = LineReader::Status;

/// "[line]" for each line, "long" for each over-long one, "bad" for a bare CR or LF, which ends the story.
std::string lines(const Pieces& pieces, std::size_t limit) {
    LineReader reader;
    Pending pending;
    std::string story;
    for (const ByteView piece : pieces) {
        pending.add(piece);
        for (bool more = true; more;) {
            const LineReader::Result result = reader.next(pending.view(), limit);
            switch (result.status) {
                case Status::kLine: story += '[' + printable(result.line) + ']'; break;
                case Status::kTooLong: story += "long "; break;
                case Status::kBadEnding: return story + "bad";
                case Status::kNeedMore: more = false; break;
            }
            pending.consume(result.consumed);
        }
        EXPECT_LT(pending.view().size(), limit) << "memory is not bounded";
    }
    return story;
}

std::string story(ByteView octets, std::size_t limit = 20) {
    return test::story_at_every_split(octets, [&](const Pieces& pieces) { return lines(pieces, limit); });
}

TEST(LineReader, CutsPipelinedLines) {
    EXPECT_EQ(story("RSET\r\nNOOP\r\n\r\nQUIT\r\n"), "[RSET][NOOP][][QUIT]");
}

TEST(LineReader, WaitsForTheLineEnd) {
    EXPECT_EQ(story("NOOP"), "");
    EXPECT_EQ(story("NOOP\r"), "");
}

TEST(LineReader, KeepsNulAndEightBitOctets) {
    EXPECT_EQ(story(ByteView("N\0\xFF\r\n", 5)), "[N\\x00\\xff]");
}

TEST(LineReader, RefusesEveryOtherLineEnd) {
    for (const ByteView octets : {"NOOP\n", "\n", "\rNOOP\r\n", "NO\rOP\r\n", "NOOP\r\r\n", "NOOP\n\r\n"}) {
        EXPECT_EQ(story(octets), "bad") << printable(octets);
    }
    EXPECT_EQ(story("RSET\r\nNOOP\nQUIT\r\n"), "[RSET]bad");
}

TEST(LineReader, CountsTheLineEndIntoTheLimit) {
    EXPECT_EQ(story(std::string(18, 'x') + "\r\n"), '[' + std::string(18, 'x') + ']');
    EXPECT_EQ(story(std::string(19, 'x') + "\r\n"), "long ");
}

TEST(LineReader, DropsAnOverLongLineAndGoesOn) {
    EXPECT_EQ(story(std::string(100, 'x') + "\r\nNOOP\r\n"), "long [NOOP]");
    EXPECT_EQ(story(std::string(100, 'x') + "\r\n" + std::string(30, 'y') + "\r\n\r\n"), "long long []");
}

TEST(LineReader, RefusesABareNewlineInAnOverLongLine) {
    EXPECT_EQ(story(std::string(30, 'x') + "\nNOOP\r\n"), "bad");
    EXPECT_EQ(story(std::string(30, 'x') + "\rNOOP\r\n"), "bad");
    EXPECT_EQ(story("x\r" + std::string(30, 'x') + "\r\n"), "bad");
    EXPECT_EQ(story(std::string(30, 'x') + "\r\r\n"), "bad");
}

TEST(LineReader, SaysHowMuchItDropped) {
    LineReader reader;
    EXPECT_EQ(reader.dropped(), 0U);
    const std::string noise(100'000, 'x');
    EXPECT_EQ(reader.next(noise, 2048).consumed, noise.size());
    EXPECT_EQ(reader.next(noise, 2048).status, Status::kNeedMore);
    EXPECT_EQ(reader.dropped(), 2 * noise.size());
    EXPECT_EQ(reader.next("\r\n", 2048).status, Status::kTooLong);
    EXPECT_EQ(reader.dropped(), 0U);
}

TEST(LineReader, FollowsALimitThatChangesBetweenLines) {
    LineReader reader;
    const std::string octets = std::string(40, 'a') + "\r\n";
    EXPECT_EQ(reader.next(octets, 20).status, Status::kTooLong);
    EXPECT_EQ(reader.next(octets, 50).status, Status::kLine) << "AUTH lines may be longer than commands";
}

}  // namespace
}  // namespace gatepost::smtp

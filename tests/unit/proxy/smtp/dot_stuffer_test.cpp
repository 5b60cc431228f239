#include "proxy/smtp/dot_stuffer.h"

#include <cstdint>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "proxy/base/printable.h"
#include "tests/unit/proxy/smtp/at_every_split.h"
#include "tests/unit/proxy/smtp/body_model.h"

namespace gatepost::smtp {
namespace {

using test::Pieces;

std::string stuffed(const Pieces& pieces) {
    DotStuffer stuffer;
    std::string out;
    for (ByteView rest : pieces) {
        while (!rest.empty()) {
            const DotStuffer::Result result = stuffer.next(rest);
            EXPECT_TRUE(result.pass > 0 || result.then_dot) << "stands still";
            out += rest.substr(0, result.pass);
            if (result.then_dot) out += '.';
            rest.remove_prefix(result.pass);
        }
    }
    return out + std::string(stuffer.end_mark());
}

std::string story(ByteView text) {
    return test::story_at_every_split(text, stuffed);
}

/// What a receiver of DATA makes of it (RFC 5321 section 4.5.2): a leading dot goes, a lone one ends.
std::string received(ByteView octets) {
    std::string message;
    for (;;) {
        const std::size_t end = octets.find(kCrlf);
        const ByteView line = octets.substr(0, end);
        octets.remove_prefix(end + 2);
        if (line == ".") return octets.empty() ? message : "(ended early)";
        message += line.starts_with('.') ? line.substr(1) : line;
        message += kCrlf;
    }
}

/// An unfinished last line is finished, since DATA cannot say otherwise.
std::string finished(std::string text) {
    return text.empty() || text.ends_with("\r\n") ? text : text + "\r\n";
}

TEST(DotStuffer, PutsADotInFrontOfADotAtALineStart) {
    EXPECT_EQ(story(""), ".\r\n");
    EXPECT_EQ(story("."), "..\r\n.\r\n");
    EXPECT_EQ(story("a.b\r\n.c\r\n"), "a.b\r\n..c\r\n.\r\n");
    EXPECT_EQ(story(".\r\n.\r\n"), "..\r\n..\r\n.\r\n");
    EXPECT_EQ(story("a\r\n.\r\nQUIT\r\n"), "a\r\n..\r\nQUIT\r\n.\r\n");
    EXPECT_EQ(story("no line end"), "no line end\r\n.\r\n");
}

TEST(DotStuffer, RoundTripsEveryShortText) {
    constexpr ByteView kWords[] = {"\r\n", ".", "x"};
    for (std::uint32_t number = 0; number < 2187; ++number) {
        std::string text;
        for (std::uint32_t rest = number, i = 0; i < 7; ++i, rest /= 3) text += kWords[rest % 3];
        ASSERT_EQ(received(story(text)), finished(text)) << printable(text);
    }
}

TEST(DotStuffer, RoundTripsLargeTexts) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::string text;
        while (text.size() < 5000)
            text += random() % 2 == 0 ? "\r\n" : random() % 2 == 0 ? ".." : std::string(random() % 90, 'x');
        Pieces pieces;
        for (ByteView rest = text; !rest.empty(); rest.remove_prefix(pieces.back().size()))
            pieces.push_back(rest.substr(0, 1 + random() % 700));
        ASSERT_EQ(received(stuffed(pieces)), finished(text));
    }
}

TEST(DotStuffer, EndsTheMessageOnceOnly) {
    const std::string sent = stuffed({"a\r\n", ".", "\r\n", "b"});
    const test::BodyStory truth = test::data_story(sent);
    EXPECT_EQ(truth.end, test::BodyStory::End::kEndMark);
    EXPECT_EQ(truth.taken, sent.size());
}

}  // namespace
}  // namespace gatepost::smtp

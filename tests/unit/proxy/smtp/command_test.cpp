#include "proxy/smtp/command.h"

#include <string>

#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

std::string parsed(ByteView line) {
    const Command command = parse_command(line);
    std::string text(to_string(command.verb));
    text += '(';
    text += command.argument;
    text += ')';
    return command.has_controls ? text + " controls" : text;
}

TEST(Command, KnowsEveryVerbInAnyCase) {
    for (int i = 0; i < kVerbCount - 1; ++i) {
        const auto verb = static_cast<Verb>(i);
        std::string name(to_string(verb));
        EXPECT_EQ(parse_command(name).verb, verb);
        for (std::size_t at = 0; at < name.size(); at += 2)
            name[at] = static_cast<char>(name[at] + 'a' - 'A');
        EXPECT_EQ(parse_command(name).verb, verb) << name;
    }
}

TEST(Command, A2_VerbsSeenInTheWild) {
    EXPECT_EQ(parsed("auth cram-md5"), "AUTH(cram-md5)");
    EXPECT_EQ(parsed("Auth login"), "AUTH(login)");
    EXPECT_EQ(parsed("Ehlo client"), "EHLO(client)");
    EXPECT_EQ(parsed("Mail from:<a@b>"), "MAIL(from:<a@b>)");
}

TEST(Command, TakesTheBlanksOffTheArgument) {
    EXPECT_EQ(parsed("EHLO   client \t "), "EHLO(client) controls");
    EXPECT_EQ(parsed("EHLO   client  "), "EHLO(client)");
    EXPECT_EQ(parsed("  NOOP"), "NOOP()");
    EXPECT_EQ(parsed("RSET "), "RSET()");
}

TEST(Command, DoesNotKnowWhatOnlyLooksLikeAVerb) {
    for (const ByteView line :
         {"", " ", "OTHER", "MAI", "MAILX", "MAIL:", "DATA\xC3", "GET / HTTP/1.1", "STARTTLSX"}) {
        EXPECT_EQ(parse_command(line).verb, Verb::kUnknown) << line;
    }
}

TEST(Command, NoticesControlsAnywhere) {
    for (const ByteView line : {ByteView("NO\0OP", 5), ByteView("NOOP \0", 6), ByteView("NOOP \x7F"),
                                ByteView("\x01NOOP"), ByteView("NOOP a\tb")}) {
        EXPECT_TRUE(parse_command(line).has_controls);
    }
    EXPECT_FALSE(parse_command("NOOP gr\xC3\xBC\xC3\x9F").has_controls);
}

TEST(Command, TakesWordsOneByOne) {
    ByteView rest = "one  two three";
    EXPECT_EQ(take_word(rest), "one");
    EXPECT_EQ(take_word(rest), "two");
    EXPECT_EQ(take_word(rest), "three");
    EXPECT_EQ(take_word(rest), "");
    EXPECT_TRUE(rest.empty());
}

TEST(Command, ComparesAsciiOnly) {
    EXPECT_TRUE(equal_ignoring_case("size", "SIZE"));
    EXPECT_FALSE(equal_ignoring_case("SIZ", "SIZE"));
    EXPECT_FALSE(equal_ignoring_case("[", "{")) << "differ by the case bit, are no letters";
    EXPECT_FALSE(equal_ignoring_case("\xC3\xA4", "\xC3\x84"));
}

}  // namespace
}  // namespace gatepost::smtp

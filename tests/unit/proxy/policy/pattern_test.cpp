#include "proxy/policy/pattern.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

TEST(Pattern, Star_IsAnyRunAnywhere) {
    EXPECT_TRUE(matches_user("*", ""));
    EXPECT_TRUE(matches_user("*", "anna"));
    EXPECT_TRUE(matches_user("***", "anna"));
    EXPECT_TRUE(matches_user("anna", "anna"));
    EXPECT_TRUE(matches_user("an*", "anna"));
    EXPECT_TRUE(matches_user("anna*", "anna"));
    EXPECT_TRUE(matches_user("*na", "anna"));
    EXPECT_TRUE(matches_user("a*a", "anna"));
    EXPECT_TRUE(matches_user("*@example.org", "anna@example.org"));
    EXPECT_TRUE(matches_user("svc-*@*.example.org", "svc-a@b.c.example.org"));
    EXPECT_TRUE(matches_user("*ab*ab*c", "abaabxabc"));

    EXPECT_FALSE(matches_user("", "anna"));
    EXPECT_FALSE(matches_user("ann", "anna"));
    EXPECT_FALSE(matches_user("annas", "anna"));
    EXPECT_FALSE(matches_user("a*a", "a"));
    EXPECT_FALSE(matches_user("*@example.org", "anna@example.org.evil.net"));
    EXPECT_FALSE(matches_user("*@example.org", "anna"));
    EXPECT_FALSE(matches_user("an?a", "anna")) << "only the star is special";
}

TEST(Pattern, User_CaseMattersBeforeTheLastAtOnly) {
    EXPECT_TRUE(matches_user("*@Example.ORG", "anna@eXample.org"));
    EXPECT_TRUE(matches_user("anna@example.org", "anna@EXAMPLE.ORG"));
    EXPECT_FALSE(matches_user("Anna@example.org", "anna@example.org"));
    EXPECT_FALSE(matches_user("anna", "ANNA"));
    EXPECT_TRUE(matches_user("a@B@c", "a@B@C"));
    EXPECT_FALSE(matches_user("a@b@c", "a@B@C"));
    EXPECT_FALSE(matches_user("*\xC3\xA4", "x@\xC3\x84")) << "ASCII only";
}

TEST(Pattern, Domain_StarAndDotAreTheDomainsBelow) {
    EXPECT_TRUE(matches_domain("example.org", "EXAMPLE.org"));
    EXPECT_TRUE(matches_domain("*.example.org", "a.Example.org"));
    EXPECT_TRUE(matches_domain("*.example.org", "a.b.example.org"));
    EXPECT_FALSE(matches_domain("*.example.org", "example.org"));
    EXPECT_FALSE(matches_domain("*.example.org", "badexample.org"));
    EXPECT_FALSE(matches_domain("example.org", "a.example.org"));
}

/// What the pattern means, without care for time.
bool means(ByteView pattern, ByteView text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
        return means(pattern.substr(1), text) || (!text.empty() && means(pattern, text.substr(1)));
    }
    return !text.empty() && pattern[0] == text[0] && means(pattern.substr(1), text.substr(1));
}

TEST(Pattern, MatchesWhatItMeans) {
    std::mt19937 random(1);  // NOLINT: the same each time
    const auto some = [&random](ByteView letters, std::size_t longest) {
        std::string text;
        for (auto size = random() % (longest + 1); size > 0; --size)
            text += letters[random() % letters.size()];
        return text;
    };
    for (int round = 0; round < 50'000; ++round) {
        const std::string pattern = some("ab*", 7);
        const std::string text = some("ab", 10);
        ASSERT_EQ(matches_domain(pattern, text), means(pattern, text)) << pattern << " " << text;
    }
}

TEST(Pattern, ManyStars_DoNotBlowUp) {
    std::string pattern;
    for (int i = 0; i < 2000; ++i) pattern += "*a";
    EXPECT_FALSE(matches_domain(pattern + "*b", std::string(4000, 'a')));
    EXPECT_TRUE(matches_domain(pattern, std::string(4000, 'a')));
}

}  // namespace
}  // namespace gatepost::policy

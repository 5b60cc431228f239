#include "proxy/policy/senders.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/policy/domain_name.h"

namespace gatepost::policy {
namespace {

const std::string kULabel =
    "b\xC3\xBC"
    "cher.example";
const std::string kBigULabel =
    "B\xC3\x9C"
    "CHER.Example";
const std::string kALabel = "xn--bcher-kva.example";

TEST(CanonicalAddress, LocalPart_IsTheSameInQuotesAndWithout) {
    EXPECT_EQ(canonical_address("ann@example.org"), "ann@example.org");
    EXPECT_EQ(canonical_address("\"ann\"@example.org"), "ann@example.org");
    EXPECT_EQ(canonical_address("\"a\\n\\n\"@example.org"), "ann@example.org");
    EXPECT_EQ(canonical_address("\"a.n+n\"@example.org"), "a.n+n@example.org");
    EXPECT_EQ(canonical_address("\"gr\xC3\xBC\xC3\x9F\"@example.org"), "gr\xC3\xBC\xC3\x9F@example.org");
    EXPECT_EQ(canonical_address("\"postmaster\""), "postmaster");
}

TEST(CanonicalAddress, LocalPartThatNeedsQuotes_HasThemInOneForm) {
    EXPECT_EQ(canonical_address("\"a b\"@x.org"), "\"a b\"@x.org");
    EXPECT_EQ(canonical_address("\"a\\ b\"@x.org"), "\"a b\"@x.org");
    EXPECT_EQ(canonical_address("\"\\a\\\"\\\\b\"@x.org"), "\"a\\\"\\\\b\"@x.org");
    EXPECT_EQ(canonical_address("\"a@b\"@x.org"), "\"a@b\"@x.org");
    EXPECT_EQ(canonical_address("\"\"@x.org"), "\"\"@x.org");
    EXPECT_EQ(canonical_address("\"\""), "\"\"") << "nobody's, and not the null sender";
    EXPECT_EQ(canonical_address(""), "");
}

TEST(CanonicalAddress, LocalPart_KeepsItsCaseAndTheDomainDoesNot) {
    EXPECT_EQ(canonical_address("Ann@EXAMPLE.Org"), "Ann@example.org");
    EXPECT_EQ(canonical_address("Ann"), "Ann");
    EXPECT_EQ(canonical_address("Ann@[IPv6:2001:DB8::1]"), "Ann@[ipv6:2001:db8::1]");
    EXPECT_EQ(canonical_address("ann@[192.0.2.1]"), "ann@[192.0.2.1]");
}

TEST(CanonicalAddress, Domain_IsInALabels) {
    for (const std::string& domain :
         std::vector<std::string>{kULabel, kBigULabel, kALabel, "XN--BCHER-KVA.EXAMPLE",
                                  ("bu\xCC\x88"
                                   "cher.example"),
                                  kULabel + '.', kALabel + "..",
                                  "b\xC3\xBC"
                                  "cher\xE3\x80\x82"
                                  "example",
                                  "b\xC3\xBC"
                                  "cher\xEF\xBC\x8E"
                                  "example\xEF\xBD\xA1",
                                  "\xEF\xBD\x82\xC3\xBC"
                                  "cher.example"})
        EXPECT_EQ(canonical_address("ann@" + domain), "ann@" + kALabel) << domain;
    EXPECT_EQ(canonical_address("ann@_dmarc.Example"), "ann@_dmarc.example");
    EXPECT_EQ(canonical_address("ann@a..B"), "ann@a..b");
}

TEST(CanonicalAddress, DomainThatCannotBeConverted_StaysAsItIsInLowerCase) {
    for (const auto& [domain, lower] : std::vector<std::pair<std::string, std::string>>{
             {"\xFF"
              "Ab.Org",
              "\xFF"
              "ab.org"},
             {"\xEF\xB7\xBA.Org", "\xEF\xB7\xBA.org"},  // a whole sentence
             {"Xn--\xC3\xBC.org", "xn--\xC3\xBC.org"},  // an A-label with an U-label in it
             {std::string(70, 'A') + "\xC3\xBC.Org", std::string(70, 'a') + "\xC3\xBC.org"},
             {"a\xEF\xBC\xA0"
              "B.org",
              "a\xEF\xBC\xA0"
              "b.org"},
             {"Stra\xC3\x9F"
              "e.de",
              "stra\xC3\x9F"
              "e.de"},
             {std::string("\xC3\xBC\0A", 4), std::string("\xC3\xBC\0a", 4)}})
        EXPECT_EQ(canonical_address("ann@" + domain), "ann@" + lower) << domain;
    // One such label does not spare the others.
    EXPECT_EQ(canonical_address("ann@\xFF." + kBigULabel), "ann@\xFF." + kALabel);
}

TEST(CanonicalAddress, OfItself_IsItself) {
    std::mt19937 random(1);  // NOLINT: the same each time
    const std::vector<std::string> pieces{"\"",
                                          "\\",
                                          "@",
                                          "@",
                                          ".",
                                          "a",
                                          "B",
                                          " ",
                                          "*",
                                          "+",
                                          "[",
                                          "]",
                                          "xn--",
                                          "XN--",
                                          "bcher-kva",
                                          "\xC3\xBC",
                                          "\xC3\x9F",
                                          "\xEF\xBC\xA0",
                                          "\xE3\x80\x82",
                                          "\xE2\x80\xA4",
                                          "\xFF",
                                          "\xCC\x88",
                                          "\xC2\xAD",
                                          std::string(1, '\0'),
                                          "\r\n",
                                          "\xEF\xB7\xBA"};
    for (int round = 0; round < 50'000; ++round) {
        std::string text;
        for (auto size = random() % 12; size > 0; --size) {
            text += random() % 4 != 0 ? pieces[random() % pieces.size()]
                                      : std::string(1, static_cast<char>(random() % 256));
        }
        const std::string once = canonical_address(text);
        ASSERT_EQ(canonical_address(once), once) << testing::PrintToString(text);
        ASSERT_EQ(Address::of(once), Address::of(text)) << testing::PrintToString(text);
        if (!text.empty() && !text.contains('*')) {
            ASSERT_TRUE(matches_address(once, text)) << testing::PrintToString(text);
            ASSERT_TRUE(is_own_sender(text, "", once)) << testing::PrintToString(text);
            ASSERT_FALSE(Recipients({}, {once}).allows(text)) << testing::PrintToString(text);
        }
    }
}

TEST(DomainName, UnicodeForm_IsTheOneThatPeopleWrite) {
    EXPECT_EQ(domain_in_unicode(kALabel), kULabel);
    EXPECT_EQ(domain_in_unicode(kBigULabel), kULabel);
    EXPECT_EQ(domain_in_unicode("*B\xC3\x9C*.Example"), "*b\xC3\xBC*.example");
    EXPECT_EQ(domain_in_unicode("xn--no-such-thing-\xFF"), "xn--no-such-thing-\xFF");
    EXPECT_TRUE(has_unicode_form(kALabel));
    EXPECT_FALSE(has_unicode_form("example.org"));
}

TEST(MatchesAddress, Star_IsAnyRunOnItsSideOfTheAt) {
    EXPECT_TRUE(matches_address("*", "ann@example.org"));
    EXPECT_TRUE(matches_address("*", "postmaster"));
    EXPECT_TRUE(matches_address("*@example.org", "ann@Example.ORG"));
    EXPECT_TRUE(matches_address("@example.org", "ann@example.org"));
    EXPECT_TRUE(matches_address("*@*.Example.org", "ann@a.b.example.org"));
    EXPECT_TRUE(matches_address("ann+*@example.org", "ann+x@example.org"));
    EXPECT_TRUE(matches_address("ann@*", "ann@x"));
    EXPECT_TRUE(matches_address("a*n@ex*.org", "ann@example.org"));
    EXPECT_TRUE(matches_address("*example.org", "ann@Example.org")) << "no @: the whole address";

    EXPECT_FALSE(matches_address("*@example.org", "ann@a.example.org"));
    EXPECT_FALSE(matches_address("*@*.example.org", "ann@example.org"));
    EXPECT_FALSE(matches_address("*@example.org", "ann@example.org.evil.net"));
    EXPECT_FALSE(matches_address("*@example.org", "\"x@example.org\"@evil.net"));
    EXPECT_FALSE(matches_address("*@example.org", "ann"));
    EXPECT_FALSE(matches_address("@example.org", "@"));
    EXPECT_FALSE(matches_address("\"\"@example.org", "ann@example.org"))
        << "the empty local part, and only that";
    EXPECT_FALSE(matches_address("ann", "ann@example.org"));
    EXPECT_FALSE(matches_address("Ann@example.org", "ann@example.org"));
    EXPECT_FALSE(matches_address("", "ann@example.org"));
    EXPECT_FALSE(matches_address("*", "")) << "the null sender";
}

TEST(MatchesAddress, Pattern_IsReadAsAnAddressIs) {
    EXPECT_TRUE(matches_address("\"ann\"@EXAMPLE.org.", "ann@example.org"));
    EXPECT_TRUE(matches_address("\"a b*\"@x.org", "\"a\\ bc\"@x.org"));
    EXPECT_TRUE(matches_address("a*@x.org", "\"a b\"@x.org")) << "what needs quotes is matched without them";
    EXPECT_TRUE(matches_address("ann@[192.0.2.1]", "ann@[192.0.2.1]"));
}

TEST(MatchesAddress, ULabelsAndALabels_MeanTheSame) {
    for (const std::string& pattern : {kULabel, kBigULabel, kALabel}) {
        for (const std::string& domain : {kULabel, kBigULabel, kALabel}) {
            EXPECT_TRUE(matches_address("*@" + pattern, "ann@" + domain)) << pattern << ' ' << domain;
            EXPECT_TRUE(matches_address("*@*." + pattern, "ann@a." + domain)) << pattern << ' ' << domain;
            EXPECT_FALSE(matches_address("*@*." + pattern, "ann@a.x" + domain)) << pattern << ' ' << domain;
        }
    }
    for (const std::string& domain : {kULabel, kBigULabel, kALabel}) {
        EXPECT_TRUE(matches_address("*@B\xC3\x9C*.example", "ann@" + domain)) << domain;
        EXPECT_TRUE(matches_address("*cher.example", "ann@" + domain)) << domain;
        EXPECT_TRUE(matches_address("ann@*r.example", "ann@" + domain)) << domain;
        EXPECT_FALSE(matches_address("ann@*b.example", "ann@" + domain)) << domain;
    }
}

TEST(OwnSender, IsTheUsersNameInAnySpelling) {
    for (const std::string sender : {"ann@example.org", "ann@EXAMPLE.ORG", "\"ann\"@example.org",
                                     "\"a\\nn\"@example.org", "ann@example.org."})
        EXPECT_TRUE(is_own_sender("ann@example.org", "", sender)) << sender;
    EXPECT_TRUE(is_own_sender("ann@" + kULabel, "", "ann@" + kALabel));
    EXPECT_TRUE(is_own_sender("ann@" + kALabel, "", "ann@" + kBigULabel));
    EXPECT_TRUE(is_own_sender("*@example.org", "", "*@example.org"));

    for (const std::string sender :
         {"Ann@example.org", "bob@example.org", "ann@example.net", "ann", "", "\"\"", "ann@a.example.org",
          "\"ann@example.org\"", "\"ann@example.org\"@evil.net"})
        EXPECT_FALSE(is_own_sender("ann@example.org", "", sender)) << sender;
    EXPECT_FALSE(is_own_sender("*@example.org", "", "bob@example.org")) << "a name is no pattern";
    EXPECT_FALSE(is_own_sender("", "", "ann@example.org"));
    EXPECT_FALSE(is_own_sender("ann@strasse.example", "",
                               "ann@stra\xC3\x9F"
                               "e.example"));
}

TEST(OwnSender, Tag_StandsBehindTheWholeLocalPart) {
    for (const std::string sender : {"ann+x@example.org", "ann+@EXAMPLE.org", "ann+x+y@example.org",
                                     "\"ann+x\"@example.org", "\"ann+x y\"@example.org"})
        EXPECT_TRUE(is_own_sender("ann@example.org", "", sender)) << sender;
    for (const std::string sender : {"anna+x@example.org", "an+n@example.org", "ann+x@example.net", "ann+x",
                                     "ann-x@example.org", "+x@example.org", "x+ann@example.org"})
        EXPECT_FALSE(is_own_sender("ann@example.org", "", sender)) << sender;
    EXPECT_FALSE(is_own_sender("ann+x@example.org", "", "ann@example.org"));
    EXPECT_FALSE(is_own_sender("@example.org", "", "+x@example.org"));
}

TEST(OwnSender, NameWithoutADomain_IsHisAsItStands) {
    EXPECT_TRUE(is_own_sender("ann", "", "ann"));
    EXPECT_TRUE(is_own_sender("ann", "", "\"ann\""));
    for (const std::string sender : {"Ann", "ann+x", "ann@example.org", "ann@", "a*"})
        EXPECT_FALSE(is_own_sender("ann", "", sender)) << sender;
    EXPECT_TRUE(is_own_sender("ann", "ann@example.org", "ann@example.org"));
    EXPECT_FALSE(is_own_sender("ann", "ann@example.org", "ann+x@example.org"))
        << "tags of aliases are written";
}

TEST(OwnSender, Patterns_AreSeparatedByCommasOrBlanks) {
    for (const std::string patterns : {"a@x.org,*@y.org", "a@x.org *@y.org", " ,, a@x.org\t,\r\n*@y.org,"}) {
        EXPECT_TRUE(is_own_sender("ann", patterns, "a@X.org")) << patterns;
        EXPECT_TRUE(is_own_sender("ann", patterns, "any@y.org")) << patterns;
        EXPECT_FALSE(is_own_sender("ann", patterns, "b@x.org")) << patterns;
        EXPECT_FALSE(is_own_sender("ann", patterns, "")) << patterns;
    }
    EXPECT_TRUE(is_own_sender("ann", "*", "who@ever"));
    EXPECT_FALSE(is_own_sender("ann", "*", "")) << "the null sender is another policy's";
    EXPECT_FALSE(is_own_sender("ann", " ,\t", "a@x.org"));
}

TEST(Recipients, EmptyLists_AllowAll) {
    EXPECT_TRUE(Recipients({}, {}).allows("x@y"));
    EXPECT_TRUE(Recipients({}, {}).allows("postmaster"));
}

TEST(Recipients, Deny_GoesBeforeAllow) {
    const Recipients some({"*@example.org", "bob@example.net"}, {"ann@example.org"});
    EXPECT_TRUE(some.allows("x@example.org"));
    EXPECT_TRUE(some.allows("bob@Example.net"));
    EXPECT_FALSE(some.allows("ann@example.org"));
    EXPECT_FALSE(some.allows("ann@example.net"));
    EXPECT_FALSE(some.allows("postmaster")) << "what is not named is not allowed";
}

TEST(Recipients, Deny_CannotBeEvadedByAnotherSpelling) {
    const Recipients some(
        {}, {"ann@example.org", "*@evil.example", "*@*.evil.example", "bob@" + kULabel, "root"});
    for (const std::string recipient : {"ann@example.org",
                                        "\"ann\"@example.org",
                                        "\"\\a\\n\\n\"@Example.Org",
                                        "ann@example.org.",
                                        "ann@example.org...",
                                        "ann@example\xE3\x80\x82org",
                                        "ann@\xEF\xBD\x85xample.org",
                                        "ann@example\xE2\x80\xA4org",
                                        "ann@exam\xC2\xADple.org",
                                        "x@EVIL.example",
                                        "\"x y\"@evil.example.",
                                        "\"x@good.example\"@evil.example",
                                        "x@a.evil.example",
                                        "x@.evil.example",
                                        "x@\xFF.evil.example",
                                        "bob@xn--bcher-kva.example",
                                        "bob@XN--BCHER-KVA.example.",
                                        "\"root\"",
                                        "\"r\\oot\"",
                                        "Ann@example.org",
                                        "Root"})
        EXPECT_FALSE(some.allows(recipient)) << recipient;
    EXPECT_FALSE(some.allows("bob@" + kBigULabel));
    for (const std::string recipient :
         {"anne@example.org", "ann@example.org.net", "x@notevil.example", "roots"})
        EXPECT_TRUE(some.allows(recipient)) << recipient;
}

TEST(Senders, TheWorstAddressesAndPatterns_DoNotBlowUp) {
    std::string stars;
    while (stars.size() < 127) stars += "*a";
    const std::string pattern = stars + "@" + stars;
    std::string domain;
    while (domain.size() < 250) domain += "\xC3\xBC.";
    for (int round = 0; round < 20; ++round) {
        EXPECT_FALSE(matches_address(pattern, std::string(64, 'a') + '@' + std::string(255, 'a') + 'b'));
        EXPECT_FALSE(matches_address("*\xC3\xBC*" + pattern, "a@" + domain));
        EXPECT_EQ(canonical_address("a@" + std::string(100'000, '\xC3')).size(), 100'002U);
    }
}

}  // namespace
}  // namespace gatepost::policy

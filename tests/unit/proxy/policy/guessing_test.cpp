#include "proxy/policy/guessing.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/base/printable.h"
#include "proxy/policy/key_text.h"
#include "proxy/policy/memory_limit_store.h"
#include "tests/unit/proxy/policy/late_executor.h"

namespace gatepost::policy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

GuessingSettings defaults() {
    return {.per_ip = GuessingSettings::Failures{20, minutes{10}},
            .per_network = GuessingSettings::Failures{100, minutes{10}},
            .per_user_and_network = GuessingSettings::Failures{10, minutes{10}},
            .per_user_delay = seconds{5}};
}

PeerAddress ip(unsigned a, unsigned b, unsigned c, unsigned d) {
    std::string octets;
    for (const unsigned octet : {a, b, c, d}) octets += static_cast<char>(octet);
    return PeerAddress::from_octets(octets);
}

PeerAddress ipv6(unsigned network, unsigned host) {
    std::string octets("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    octets[7] = static_cast<char>(network);
    octets[15] = static_cast<char>(host);
    return PeerAddress::from_octets(octets);
}

std::vector<std::string> keys(const std::vector<LimitQuestion>& questions) {
    std::vector<std::string> texts;
    texts.reserve(questions.size());
    for (const LimitQuestion& question : questions) texts.push_back(question.key.text);
    return texts;
}

/// Guesses against a real store, as a session would ask it.
class GuessingTest : public testing::Test {
  protected:
    GuessingVerdict before(const PeerAddress& address, ByteView user) {
        std::vector<LimitAnswer> got;
        store_.ask(guessing_.questions_before(address, user), now_, home_,
                   [&](LimitAnswers answers) { got = std::move(answers); });
        home_.run();
        return guessing_.verdict(address, user, got);
    }

    void fail(const PeerAddress& address, ByteView user) {
        store_.ask(guessing_.charges_after_failure(address, user), now_, home_, [](const LimitAnswers&) {});
        home_.run();
    }

    /// Whether the password was looked at.
    bool guess(const PeerAddress& address, ByteView user) {
        if (!std::holds_alternative<GoOn>(before(address, user))) return false;
        fail(address, user);
        return true;
    }

    Guessing guessing_{defaults()};
    MemoryLimitStore store_;
    test::LateExecutor home_;
    TimePoint now_{seconds{1000}};
};

TEST_F(GuessingTest, OneGuesserWithOneNameIsRefusedAfterTen) {
    for (int each = 0; each < 10; ++each) EXPECT_TRUE(guess(ip(192, 0, 2, 1), "ann"));
    EXPECT_EQ(before(ip(192, 0, 2, 1), "ann"),
              GuessingVerdict(
                  RefuseGuess{GuessingRule::kUserAndNetwork, minutes{1}, "guess:user-net:192.0.2.0/24=ann"}));
    EXPECT_EQ(before(ip(192, 0, 2, 77), "ann"),
              GuessingVerdict(
                  RefuseGuess{GuessingRule::kUserAndNetwork, minutes{1}, "guess:user-net:192.0.2.0/24=ann"}))
        << "from the same network";
    EXPECT_EQ(before(ip(192, 0, 2, 1), "bob"), GuessingVerdict(GoOn{}));
    now_ += minutes{1};
    EXPECT_TRUE(guess(ip(192, 0, 2, 1), "ann"));
    EXPECT_FALSE(guess(ip(192, 0, 2, 1), "ann"));
}

TEST_F(GuessingTest, OneGuesserWithManyNamesIsRefusedAfterTwenty) {
    for (int each = 0; each < 20; ++each) {
        EXPECT_TRUE(guess(ip(192, 0, 2, 1), "user" + std::to_string(each)));
    }
    EXPECT_EQ(before(ip(192, 0, 2, 1), "anybody"),
              GuessingVerdict(RefuseGuess{GuessingRule::kIp, seconds{30}, "guess:ip:192.0.2.1"}));
    EXPECT_EQ(before(ip(192, 0, 2, 2), "anybody"), GuessingVerdict(GoOn{}));
}

TEST_F(GuessingTest, AddressesOfOneNetworkAreRefusedTogetherAfterAHundred) {
    int looked_at = 0;
    for (unsigned host = 1; host < 250; ++host) {
        looked_at += guess(ipv6(1, host), "user" + std::to_string(host)) ? 1 : 0;
    }
    EXPECT_EQ(looked_at, 100);
    EXPECT_EQ(before(ipv6(1, 251), "anybody"), GuessingVerdict(RefuseGuess{GuessingRule::kNetwork, seconds{6},
                                                                           "guess:net:2001:db8:0:1::/64"}));
    EXPECT_EQ(before(ipv6(2, 251), "anybody"), GuessingVerdict(GoOn{}));
}

TEST_F(GuessingTest, AnHourOfGuessingGetsTheBurstAndTheRate) {
    int looked_at = 0;
    for (const TimePoint end = now_ + hours{1}; now_ < end; now_ += seconds{1}) {
        looked_at += guess(ip(192, 0, 2, 1), "ann") ? 1 : 0;
    }
    EXPECT_EQ(looked_at, 9 + 60);
}

TEST_F(GuessingTest, GuessesSideBySideGainNothingInTheEnd) {
    constexpr int kSideBySide = 60;
    int looked_at = 0;
    const TimePoint end = now_ + hours{3};
    for (; now_ < end; now_ += seconds{10}) {
        std::vector<std::string> let_in;
        for (int each = 0; each < kSideBySide; ++each) {
            std::string user = "user" + std::to_string(looked_at + each);
            if (std::holds_alternative<GoOn>(before(ip(192, 0, 2, 1), user))) let_in.push_back(user);
        }
        for (const std::string& user : let_in) fail(ip(192, 0, 2, 1), user);
        looked_at += static_cast<int>(let_in.size());
    }
    EXPECT_LE(looked_at, 20 + 3 * 60 * 2 + kSideBySide) << "burst, two a minute, and one volley";
}

TEST_F(GuessingTest, GuessesFromEverywhereOnlyDelayTheRightUser) {
    for (unsigned network = 0; network < 200; ++network) {
        for (unsigned host = 1; host <= 5; ++host) EXPECT_TRUE(guess(ip(198, 51, network, host), "ann"));
    }
    EXPECT_EQ(before(ip(203, 0, 113, 9), "ann"), GuessingVerdict(GoOn{seconds{5}}));
    EXPECT_EQ(before(ip(203, 0, 113, 9), "bob"), GuessingVerdict(GoOn{}));
    now_ += minutes{8};
    EXPECT_EQ(before(ip(203, 0, 113, 9), "ann"), GuessingVerdict(GoOn{})) << "it has worn off";
}

TEST_F(GuessingTest, TheDelayOfAUserGrowsToItsCap) {
    const std::vector<milliseconds> want{milliseconds{0},    milliseconds{0},    milliseconds{0},
                                         milliseconds{0},    milliseconds{250},  milliseconds{500},
                                         milliseconds{1000}, milliseconds{2000}, milliseconds{4000},
                                         milliseconds{5000}, milliseconds{5000}};
    for (unsigned failures = 0; failures < want.size(); ++failures) {
        EXPECT_EQ(before(ip(203, 0, 113, 9), "ann"), GuessingVerdict(GoOn{want[failures]})) << failures;
        fail(ip(198, 51, failures, 1), "ann");
    }
}

TEST_F(GuessingTest, BehindOneNatTheRightPasswordsOfManyUsersPass) {
    const PeerAddress nat = ip(192, 0, 2, 1);
    // A device with an old password, asking each 5 s, stops itself; the others type wrong now and then.
    std::mt19937 random(3);
    for (int second = 0; second < 7200; second += 5, now_ += seconds{5}) {
        if (std::holds_alternative<GoOn>(before(nat, "printer"))) fail(nat, "printer");
        const std::string user = "user" + std::to_string(random() % 300);
        const GuessingVerdict verdict = before(nat, user);
        ASSERT_TRUE(std::holds_alternative<GoOn>(verdict)) << user << " after " << second << " s";
        if (random() % 24 == 0) fail(nat, user);
    }
}

TEST_F(GuessingTest, MappedIpv4IsCountedAsIpv4) {
    const PeerAddress mapped =
        PeerAddress::from_octets(std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16));
    for (int each = 0; each < 10; ++each) fail(mapped, "ann");
    EXPECT_TRUE(std::holds_alternative<RefuseGuess>(before(ip(192, 0, 2, 1), "ann")));
}

TEST_F(GuessingTest, AUnixSocketIsNotOneAddressForAll) {
    const PeerAddress local;
    for (int each = 0; each < 100; ++each) fail(local, "user" + std::to_string(each));
    EXPECT_EQ(before(local, "ann"), GuessingVerdict(GoOn{}));
    for (int each = 0; each < 10; ++each) fail(local, "ann");
    EXPECT_TRUE(std::holds_alternative<RefuseGuess>(before(local, "ann")));
}

TEST(KeyText, ShowsWhatATerminalShows_AndTheHashOfTheRest) {
    EXPECT_EQ(key_text("o\u2019hara"), "o\u2019hara");
    for (const ByteView name : {"a\u202Eb", "a\u2066b", "a\u200Bb", "a\u0085b", "a\nb", "\xFF", "#ab"})
        EXPECT_TRUE(key_text(name).starts_with('#') && key_text(name) != name) << key_text(name);
}

TEST(Guessing, SaysWhatItAsksFor) {
    const Guessing guessing(defaults());
    const std::vector<std::string> want{"guess:ip:192.0.2.1", "guess:net:192.0.2.0/24",
                                        "guess:user-net:192.0.2.0/24=ann@example.org",
                                        "guess:user:=ann@example.org"};
    const auto before = guessing.questions_before(ip(192, 0, 2, 1), "ann@example.org");
    const auto after = guessing.charges_after_failure(ip(192, 0, 2, 1), "ann@example.org");
    EXPECT_EQ(keys(before), want);
    EXPECT_EQ(keys(after), want);
    const auto counts_nothing = [](const LimitQuestion& one) { return one.counting == Counting::kPeek; };
    EXPECT_TRUE(std::ranges::all_of(before, counts_nothing));
    EXPECT_TRUE(std::ranges::none_of(after, counts_nothing));
    EXPECT_EQ(keys(guessing.questions_before(ipv6(1, 2), ""))[1], "guess:net:2001:db8:0:1::/64");
}

TEST(Guessing, EachRuleMayBeOff) {
    const PeerAddress address = ip(192, 0, 2, 1);
    const Guessing off{GuessingSettings{}};
    EXPECT_TRUE(off.questions_before(address, "ann").empty());
    EXPECT_TRUE(off.charges_after_failure(address, "ann").empty());
    EXPECT_EQ(off.verdict(address, "ann", {}), GuessingVerdict(GoOn{}));
    GuessingSettings settings = defaults();
    settings.per_ip.reset();
    settings.per_user_and_network.reset();
    const Guessing some(settings);
    EXPECT_EQ(keys(some.questions_before(address, "ann")),
              (std::vector<std::string>{"guess:net:192.0.2.0/24", "guess:user:=ann"}));
    const std::vector<LimitAnswer> answers{Allow{3}, Refused{seconds{1}, 4}};
    EXPECT_EQ(some.verdict(address, "ann", answers), GuessingVerdict(GoOn{milliseconds{250}}))
        << "a user is never refused, whatever the store says";
}

TEST(Guessing, TheLongestRefusalCountsAndAStoreThatIsAwayIsNoRefusal) {
    const Guessing guessing(defaults());
    const PeerAddress address = ip(192, 0, 2, 1);
    const auto verdict = [&](std::vector<LimitAnswer> answers) {
        return guessing.verdict(address, "ann", answers);
    };
    EXPECT_EQ(verdict({Refused{seconds{1}, 1}, Refused{seconds{9}, 1}, Allow{}, Allow{}}),
              GuessingVerdict(RefuseGuess{GuessingRule::kNetwork, seconds{9}, "guess:net:192.0.2.0/24"}));
    EXPECT_EQ(verdict({Unavailable{}, Refused{seconds{9}, 1}, Unavailable{}, Unavailable{}}),
              GuessingVerdict(RefuseGuess{GuessingRule::kNetwork, seconds{9}, "guess:net:192.0.2.0/24"}));
    EXPECT_EQ(verdict({Allow{}, Unavailable{}, Allow{}, Allow{}}), GuessingVerdict(CannotTell{}));
    EXPECT_EQ(verdict({Allow{}}), GuessingVerdict(CannotTell{})) << "not the answers to these questions";
}

TEST(GuessingProperty, KeysAreShortPrintableAndOfOneNameOnly) {
    const Guessing guessing(defaults());
    std::mt19937 random(5);
    std::vector<std::string> names{"a",
                                   "A",
                                   "=a",
                                   "#cbf29ce484222325",
                                   std::string(64, 'x'),
                                   std::string(65, 'x'),
                                   std::string(255, 'x'),
                                   std::string("a\0b", 3),
                                   "a\r\nb",
                                   "\xff",
                                   "j\xc3\xb6rg",
                                   "a=b",
                                   "a/24=b"};
    for (int each = 0; each < 500; ++each) {
        std::string name(random() % 255 + 1, 'x');
        std::ranges::generate(name, [&] { return static_cast<char>(random()); });
        names.push_back(name);
    }
    for (std::string& name : names) name = caseless(name);  // spellings that differ in case are one user
    std::vector<std::string> seen;
    for (const std::string& name : names) {
        for (const std::string& key : keys(guessing.questions_before(ipv6(1, 2), name))) {
            EXPECT_LE(key.size(), 128U);
            EXPECT_FALSE(has_controls(key));
            EXPECT_TRUE(is_utf8(key));
            if (key.starts_with("guess:user")) seen.push_back(key);
        }
    }
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::ranges::sort(seen);
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    EXPECT_EQ(seen.size(), 2 * names.size());
}

}  // namespace
}  // namespace gatepost::policy

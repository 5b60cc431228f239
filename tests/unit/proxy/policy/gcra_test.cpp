#include "proxy/policy/gcra.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr Rate kTwentyInTenMinutes{.count = 20, .per = minutes{10}, .burst = 20};

TEST(Gcra, AllowsTheBurstAtOnceAndThenOneAtATime) {
    GcraState state;
    for (std::uint64_t each = 1; each <= 20; ++each) {
        EXPECT_EQ(gcra_charge(state, kTwentyInTenMinutes, 1, 0), (GcraAnswer{true, Duration{0}, each}));
    }
    const GcraAnswer refused{false, seconds{30}, 20};
    EXPECT_EQ(gcra_peek(state, kTwentyInTenMinutes, 1, 0), refused);
    EXPECT_EQ(gcra_charge(state, kTwentyInTenMinutes, 1, 0), refused);
    EXPECT_FALSE(gcra_charge(state, kTwentyInTenMinutes, 1, 30 * kSecond - 1).allowed);
    EXPECT_TRUE(gcra_charge(state, kTwentyInTenMinutes, 1, 30 * kSecond).allowed);
    EXPECT_FALSE(gcra_charge(state, kTwentyInTenMinutes, 1, 30 * kSecond).allowed);
}

TEST(Gcra, RetryAfterIsTheFirstMomentThatIsAllowed) {
    const Rate rate{.count = 7, .per = seconds{1}, .burst = 3};
    GcraState state;
    (void)gcra_charge(state, rate, 3, 5);
    for (std::uint64_t events = 1; events <= 3; ++events) {
        const std::int64_t wait = nanoseconds(gcra_peek(state, rate, events, 5).retry_after).count();
        EXPECT_FALSE(gcra_peek(state, rate, events, 5 + wait - 1).allowed);
        EXPECT_TRUE(gcra_peek(state, rate, events, 5 + wait).allowed);
    }
    EXPECT_EQ(gcra_peek(state, rate, 4, 5).retry_after, Duration::max()) << "more than the burst";
}

TEST(Gcra, DoesNotDriftWhereThePeriodDoesNotDivide) {
    const Rate rate{.count = 7, .per = seconds{1}, .burst = 1};
    GcraState state;
    std::int64_t now = 0;
    std::uint64_t taken = 0;
    while (now < 1000 * kSecond) {
        const GcraAnswer answer = gcra_charge(state, rate, 1, now);
        if (answer.allowed) ++taken;
        now += answer.allowed ? 1 : nanoseconds(answer.retry_after).count();
    }
    EXPECT_EQ(taken, 7000U);
}

TEST(Gcra, RecordsWhatDidNotFitUpToTheDebt) {
    const Rate rate{.count = 1, .per = seconds{1}, .burst = 2, .debt = 3};
    GcraState state;
    EXPECT_TRUE(gcra_record(state, rate, 1, 0).allowed);
    EXPECT_TRUE(gcra_record(state, rate, 1, 0).allowed);
    EXPECT_EQ(gcra_record(state, rate, 1, 0), (GcraAnswer{false, seconds{1}, 3}));
    EXPECT_EQ(gcra_record(state, rate, 50, 0).used, 5U);
    EXPECT_EQ(gcra_peek(state, rate, 1, 0).retry_after, seconds{4});
    EXPECT_TRUE(gcra_is_empty(state, 5 * kSecond));
    EXPECT_FALSE(gcra_is_empty(state, 5 * kSecond - 1));
}

TEST(GcraReturn, TakesOffWhatCannotHaveWornOff) {
    GcraState state;
    (void)gcra_charge(state, kTwentyInTenMinutes, 20, 0);
    EXPECT_EQ(gcra_return(state, kTwentyInTenMinutes, 5, Duration{0}, 0),
              (GcraAnswer{true, Duration{0}, 15}));
    EXPECT_EQ(gcra_return(state, kTwentyInTenMinutes, 5, seconds{60}, 60 * kSecond).used, 10U)
        << "two have worn off, three were given back";
    EXPECT_EQ(gcra_return(state, kTwentyInTenMinutes, 5, seconds{150}, 60 * kSecond).used, 10U)
        << "all of it has worn off";
    EXPECT_EQ(gcra_return(state, kTwentyInTenMinutes, 1, -seconds{1}, 60 * kSecond).used, 9U);
    EXPECT_EQ(gcra_return(state, kTwentyInTenMinutes, 50, Duration{0}, 60 * kSecond).used, 0U);
    EXPECT_TRUE(gcra_is_empty(state, 60 * kSecond)) << "below empty, or not there";
    EXPECT_EQ(gcra_charge(state, kTwentyInTenMinutes, 20, 60 * kSecond).used, 20U);
    EXPECT_FALSE(gcra_charge(state, kTwentyInTenMinutes, 1, 60 * kSecond).allowed) << "more than empty";
}

TEST(GcraReturn, IsExactWhereThePeriodDoesNotDivide) {
    const Rate rate{.count = 7, .per = nanoseconds{3}, .burst = 5};
    GcraState state;
    (void)gcra_charge(state, rate, 5, 0);
    (void)gcra_return(state, rate, 5, nanoseconds{2}, 2);  // worn off 14 grains, given back the other 1
    EXPECT_TRUE(gcra_is_empty(state, 2));
    (void)gcra_charge(state, rate, 5, 100);
    (void)gcra_return(state, rate, 3, nanoseconds{1}, 101);  // 15 - 7 - (9 - 7) = 6 grains
    EXPECT_EQ(gcra_peek(state, rate, 3, 101), (GcraAnswer{true, Duration{0}, 2}));
    EXPECT_FALSE(gcra_fits(state, rate, 4, 101)) << "three fit into 9 grains of 15";
}

TEST(Gcra, EmptyAfterIsTheFirstMomentThatIsEmpty) {
    const Rate rate{.count = 7, .per = nanoseconds{30}, .burst = 5};
    GcraState state;
    EXPECT_EQ(gcra_empty_after(state, 0), Duration{0});
    for (std::uint64_t events = 1; events <= 5; ++events) {
        GcraState charged;
        (void)gcra_charge(charged, rate, events, 5);
        const std::int64_t wait = nanoseconds(gcra_empty_after(charged, 5)).count();
        EXPECT_TRUE(gcra_is_empty(charged, 5 + wait));
        EXPECT_FALSE(gcra_is_empty(charged, 5 + wait - 1));
    }
}

TEST(Gcra, AClockThatJumpsBackRefusesNoLongerThanAFullBucket) {
    GcraState state;
    ASSERT_TRUE(gcra_charge(state, kTwentyInTenMinutes, 1, 1'000'000 * kSecond).allowed);
    EXPECT_EQ(gcra_peek(state, kTwentyInTenMinutes, 1, 0), (GcraAnswer{false, seconds{30}, 20}));
    EXPECT_TRUE(gcra_peek(state, kTwentyInTenMinutes, 1, 30 * kSecond).allowed) << "waits for the old time";
}

TEST(Gcra, SurvivesNumbersAtTheirEnds) {
    constexpr std::uint64_t kHuge = ~std::uint64_t{0};
    constexpr std::int64_t kEnds[] = {std::numeric_limits<std::int64_t>::min(), -1, 0, 1,
                                      std::numeric_limits<std::int64_t>::max()};
    for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, kHuge}) {
        for (const std::uint64_t burst : {std::uint64_t{0}, std::uint64_t{1}, kHuge}) {
            for (const Duration per : {Duration::min(), Duration{0}, Duration{1}, Duration::max()}) {
                const Rate rate{.count = count, .per = per, .burst = burst, .debt = kHuge};
                GcraState state;
                for (const std::int64_t now : kEnds) {
                    for (const std::uint64_t events : {std::uint64_t{0}, std::uint64_t{1}, kHuge}) {
                        (void)gcra_charge(state, rate, events, now);
                        (void)gcra_record(state, rate, events, now);
                        (void)gcra_return(state, rate, events, rate.per, now);
                        EXPECT_EQ(gcra_fits(state, rate, events, now),
                                  gcra_peek(state, rate, events, now).allowed);
                        EXPECT_GE(gcra_empty_after(state, now), Duration{0});
                        EXPECT_GE(gcra_peek(state, rate, events, now).retry_after, Duration{0});
                    }
                }
            }
        }
    }
}

/// Right by its definition, and slow: in no stretch of time that ends now may there have been more than the
/// burst and what the rate gives in it.
class WindowModel {
  public:
    explicit WindowModel(const Rate& rate) : rate_(rate) {}

    bool charge(std::uint64_t events, std::int64_t now) {
        const std::int64_t per = nanoseconds(rate_.per).count();
        auto within = static_cast<std::int64_t>(events);
        const auto fits = [&](std::int64_t since) {
            return (within - static_cast<std::int64_t>(rate_.burst)) * per <=
                   static_cast<std::int64_t>(rate_.count) * (now - since);
        };
        if (!fits(now)) return false;
        for (auto past = taken_.rbegin(); past != taken_.rend(); ++past) {
            within += static_cast<std::int64_t>(past->events);
            if (!fits(past->at)) return false;
        }
        taken_.push_back({now, events});
        return true;
    }

  private:
    struct Taken {
        std::int64_t at;
        std::uint64_t events;
    };
    Rate rate_;
    std::vector<Taken> taken_;
};

TEST(GcraProperty, AcceptsExactlyWhatTheWindowsAllow) {
    std::mt19937_64 random(1);
    const auto up_to = [&](std::uint64_t most) { return random() % most + 1; };
    for (int run = 0; run < 300; ++run) {
        const Rate rate{
            .count = up_to(20), .per = nanoseconds(up_to(200)), .burst = up_to(12), .debt = random() % 5};
        WindowModel model(rate);
        GcraState state;
        std::int64_t now = static_cast<std::int64_t>(random() % 1000) - 500;
        for (int step = 0; step < 200; ++step) {
            if (random() % 3 != 0) now += static_cast<std::int64_t>(random() % up_to(40));
            const std::uint64_t events = random() % 4 == 0 ? up_to(rate.burst + 1) : 1;
            const bool peeked = gcra_peek(state, rate, events, now).allowed;
            const bool charged = gcra_charge(state, rate, events, now).allowed;
            ASSERT_EQ(charged, model.charge(events, now)) << "run " << run << ", step " << step;
            ASSERT_EQ(peeked, charged);
        }
    }
}

/// A bucket that is emptied nanosecond by nanosecond: knows debts and clocks that jump backwards, too.
class TickModel {
  public:
    TickModel(const Rate& rate, std::int64_t now)
        : count_(static_cast<std::int64_t>(rate.count)),
          per_(nanoseconds(rate.per).count()),
          room_(static_cast<std::int64_t>(rate.burst) * per_),
          deepest_(static_cast<std::int64_t>(rate.burst + rate.debt) * per_),
          now_(now) {}

    void forward(std::int64_t by) {
        for (now_ += by; by > 0; --by) level_ = std::max<std::int64_t>(level_ - count_, 0);
    }
    /// A jump is as if the bucket were so much fuller, but never more than it can hold.
    void jump_back(std::int64_t by) {
        now_ -= by;
        level_ = std::min(level_ + by * count_, deepest_);
    }
    bool charge(std::uint64_t events) {
        if (!fits(events)) return false;
        level_ = level_ + static_cast<std::int64_t>(events) * per_;
        return true;
    }
    bool record(std::uint64_t events) {
        const bool fitted = fits(events);
        level_ = std::min(level_ + static_cast<std::int64_t>(events) * per_, deepest_);
        return fitted;
    }
    void give_back(std::uint64_t events, std::int64_t held) {
        auto left = static_cast<std::int64_t>(events) * per_;
        for (; held > 0; --held) left = std::max<std::int64_t>(left - count_, 0);
        level_ = std::max<std::int64_t>(level_ - left, 0);
    }
    [[nodiscard]] bool fits(std::uint64_t events) const {
        return level_ + static_cast<std::int64_t>(events) * per_ <= room_;
    }
    [[nodiscard]] std::uint64_t used() const {
        return static_cast<std::uint64_t>((level_ + per_ - 1) / per_);
    }
    [[nodiscard]] std::int64_t now() const { return now_; }

  private:
    std::int64_t count_;
    std::int64_t per_;
    std::int64_t room_;
    std::int64_t deepest_;
    std::int64_t now_;
    std::int64_t level_ = 0;
};

void compare_with_ticks(std::mt19937_64& random) {
    const auto up_to = [&](std::uint64_t most) { return random() % most + 1; };
    const Rate rate{
        .count = up_to(20), .per = nanoseconds(up_to(100)), .burst = random() % 10, .debt = random() % 12};
    TickModel model(rate, static_cast<std::int64_t>(random() % 1000));
    GcraState state;
    for (int step = 0; step < 200; ++step) {
        model.forward(static_cast<std::int64_t>(random() % up_to(30)));
        const std::uint64_t events = random() % 4;
        GcraAnswer answer;
        bool want = false;
        switch (random() % 4) {
            case 3: {
                const auto held = static_cast<std::int64_t>(random() % 60);
                answer = gcra_return(state, rate, events, nanoseconds{held}, model.now());
                model.give_back(events, held);
                want = true;
                break;
            }
            case 0:
                answer = gcra_charge(state, rate, events, model.now());
                want = model.charge(events);
                break;
            case 1:
                answer = gcra_record(state, rate, events, model.now());
                want = model.record(events);
                break;
            default:
                // A bucket that is empty by now has forgotten when: only jump where something was just kept.
                (void)gcra_record(state, rate, 1, model.now());
                (void)model.record(1);
                if (random() % 5 == 0) model.jump_back(static_cast<std::int64_t>(up_to(200)));
                answer = gcra_peek(state, rate, events, model.now());
                want = model.fits(events);
        }
        ASSERT_EQ(answer.allowed, want) << "step " << step;
        ASSERT_EQ(answer.used, model.used()) << "step " << step;
        ASSERT_EQ(gcra_fits(state, rate, events, model.now()), model.fits(events)) << "step " << step;
        const GcraAnswer later = gcra_peek(state, rate, events, model.now());
        if (later.allowed || events > rate.burst) continue;
        const std::int64_t then = model.now() + nanoseconds(later.retry_after).count();
        ASSERT_FALSE(gcra_peek(state, rate, events, then - 1).allowed) << "step " << step;
        ASSERT_TRUE(gcra_peek(state, rate, events, then).allowed) << "step " << step;
    }
}

TEST(GcraProperty, AgreesWithABucketEmptiedNanosecondByNanosecondUnderClockJumps) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        compare_with_ticks(random);
        if (::testing::Test::HasFatalFailure()) return;
    }
}

/// What is given back must not buy more than the rate: without what was given back, in no stretch of time
/// were more than the burst and what the rate gives in it.
TEST(GcraProperty, WhenChargesAreGivenBack_AcceptsNoMoreThanTheRate) {
    struct Charge {
        std::int64_t at;
        std::int64_t events;
    };
    std::mt19937_64 random(5);
    const auto up_to = [&](std::uint64_t most) { return random() % most + 1; };
    std::size_t given_back = 0;
    for (int run = 0; run < 300; ++run) {
        const Rate rate{.count = up_to(20), .per = nanoseconds(up_to(200)), .burst = up_to(12), .debt = 3};
        GcraState state;
        std::vector<Charge> kept;
        std::int64_t now = 0;
        for (int step = 0; step < 150; ++step) {
            if (random() % 3 != 0) now += static_cast<std::int64_t>(random() % up_to(40));
            const auto events = static_cast<std::int64_t>(up_to(3));
            if (random() % 2 == 0 && !kept.empty()) {
                Charge& charge = kept[random() % kept.size()];
                const std::int64_t back = std::min(events, charge.events);
                charge.events -= back;
                given_back += static_cast<std::size_t>(back);
                (void)gcra_return(state, rate, static_cast<std::uint64_t>(back), nanoseconds{now - charge.at},
                                  now);
            } else if (gcra_charge(state, rate, static_cast<std::uint64_t>(events), now).allowed) {
                kept.push_back({now, events});
            }
        }
        for (std::size_t first = 0; first < kept.size(); ++first) {
            std::int64_t beyond = -static_cast<std::int64_t>(rate.burst);
            for (std::size_t last = first; last < kept.size(); ++last) {
                beyond += kept[last].events;
                ASSERT_LE(beyond * nanoseconds(rate.per).count(),
                          static_cast<std::int64_t>(rate.count) * (kept[last].at - kept[first].at))
                    << "run " << run;
            }
        }
    }
    EXPECT_GT(given_back, 1000U);
}

}  // namespace
}  // namespace gatepost::policy

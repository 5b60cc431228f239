#include "proxy/net/event_loop.h"

#include <csignal>
#include <memory>
#include <sys/eventfd.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/timer.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, Post_RunsInOrderOnTheLoopsThreadAndNotInside) {
    EventLoop loop;
    std::vector<int> order;
    std::thread::id ran_on;
    loop.post([&] { order.push_back(1); });
    EXPECT_TRUE(order.empty());
    loop.post([&] {
        loop.post([&] {
            order.push_back(3);
            ran_on = std::this_thread::get_id();
            loop.stop();
        });
        order.push_back(2);
    });
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(EventLoop, Busy_IsTheTimeOfWorkAndNotOfWaiting) {
    EventLoop loop;
    Timer work(loop, [&] {
        const TimePoint begun = loop.now();
        while (Clock::now() - begun < 20ms) {
        }
        loop.stop();
    });
    work.start(60ms);
    EXPECT_EQ(loop.busy(), Duration::zero());
    const TimePoint begun = Clock::now();
    loop.run();
    EXPECT_GE(loop.busy(), 20ms);
    EXPECT_LE(loop.busy(), Clock::now() - begun - 50ms);
}

TEST(EventLoop, ManyReadyDescriptors_StarveNeitherDeferredTasksNorTimersNorStop) {
    EventLoop loop;
    // More than libevent once handled between two polls, and always readable.
    constexpr int kDescriptors = 600;
    UniqueFd always_ready(::eventfd(1, EFD_CLOEXEC));
    std::vector<UniqueFd> copies;
    std::vector<std::unique_ptr<FdWatch>> watches;
    std::size_t rings = 0;
    std::size_t rings_when_deferred_ran = 0;
    for (int i = 0; i < kDescriptors; ++i) {
        copies.emplace_back(::dup(always_ready.get()));
        watches.push_back(std::make_unique<FdWatch>(loop, copies.back().get(), [&] { ++rings; }));
    }
    Timer timer(loop, [&] { loop.stop(); });
    timer.start(20ms);
    loop.post([&] { loop.defer([&] { rings_when_deferred_ran = rings; }); });
    const TimePoint begun = Clock::now();
    loop.run();
    EXPECT_LT(Clock::now() - begun, 5s);
    EXPECT_LE(rings_when_deferred_ran, 2U * kDescriptors);
    EXPECT_GT(rings, 0U);
}

TEST(EventLoop, Post_FromManyThreads_LosesNothingAndKeepsEachOrder) {
    EventLoop loop;
    constexpr int kThreads = 4;
    constexpr int kEach = 5000;
    std::vector<int> next(kThreads);
    int total = 0;
    bool in_order = true;
    {
        std::vector<std::jthread> posters;
        for (int poster = 0; poster < kThreads; ++poster) {
            posters.emplace_back([&, poster] {
                for (int number = 0; number < kEach; ++number) {
                    loop.post([&, poster, number] {
                        in_order = in_order && next[static_cast<std::size_t>(poster)]++ == number;
                        if (++total == kThreads * kEach) loop.stop();
                    });
                }
            });
        }
        loop.run();
    }
    EXPECT_EQ(total, kThreads * kEach);
    EXPECT_TRUE(in_order);
}

TEST(EventLoop, Post_WakesALoopThatSleeps) {
    EventLoop loop;
    std::jthread other([&] {
        std::this_thread::sleep_for(50ms);
        loop.post([&] { loop.stop(); });
    });
    loop.run();
}

TEST(EventLoop, Stop_BeforeRun_ReturnsAtOnce) {
    EventLoop loop;
    loop.stop();
    loop.run();
}

TEST(EventLoop, Tasks_StillWaitingAtTheEnd_AreDestroyedUnrun) {
    auto watched = std::make_shared<int>(0);
    {
        EventLoop loop;
        loop.post([watched] { ++*watched; });
        loop.defer([watched] { ++*watched; });
        EXPECT_EQ(watched.use_count(), 3);
    }
    EXPECT_EQ(watched.use_count(), 1);
    EXPECT_EQ(*watched, 0);
}

TEST(EventLoop, Defer_RunsAfterTheCallbackAndBeforeTheNextEvent) {
    EventLoop loop;
    std::vector<std::string> order;
    loop.post([&] {
        loop.defer([&] {
            order.emplace_back("deferred");
            loop.defer([&] {
                order.emplace_back("deferred by deferred");
                loop.stop();
            });
        });
        order.emplace_back("callback ends");
    });
    loop.run();
    EXPECT_EQ(order, (std::vector<std::string>{"callback ends", "deferred", "deferred by deferred"}));
}

TEST(EventLoop, Defer_ForEver_DoesNotStarveOthers) {
    EventLoop loop;
    std::function<void()> again = [&] { loop.defer(again); };
    Timer stop(loop, [&] { loop.stop(); });
    stop.start(20ms);
    loop.defer(again);
    loop.run();
}

TEST(EventLoop, Now_StandsStillWithinATurnAndMovesBetweenTurns) {
    EventLoop loop;
    TimePoint first;
    loop.post([&] {
        first = loop.now();
        std::this_thread::sleep_for(5ms);
        EXPECT_EQ(loop.now(), first);
        loop.defer([&] { loop.stop(); });
    });
    loop.run();
    loop.post([&] {
        EXPECT_GE(loop.now() - first, 5ms);
        loop.stop();
    });
    loop.run();
}

TEST(EventLoopDeathTest, AssertHere_OnAnotherThread_Aborts) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            EventLoop loop;
            std::jthread runner([&] { loop.run(); });
            std::this_thread::sleep_for(100ms);
            loop.assert_here();
        },
        "");
}

class CountedResident final : public Resident {
  public:
    explicit CountedResident(int& alive) : alive_(alive) { ++alive_; }
    ~CountedResident() override { --alive_; }

  private:
    int& alive_;
};

TEST(EventLoop, Residents_LeaveWhenDismissedOrWithTheLoop) {
    int alive = 0;
    {
        EventLoop loop;
        auto leaving = std::make_unique<CountedResident>(alive);
        const Resident& named = *leaving;
        loop.adopt(std::move(leaving));
        loop.adopt(std::make_unique<CountedResident>(alive));
        loop.dismiss(named);
        EXPECT_EQ(alive, 2);
        ASSERT_TRUE(run_until(loop, [&] { return loop.residents() == 1; }));
        EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Timer, RingsOnceWhenDue) {
    EventLoop loop;
    int rings = 0;
    Timer timer(loop, [&] { ++rings; });
    EXPECT_FALSE(timer.is_pending());
    const TimePoint begun = Clock::now();
    timer.start(20ms);
    EXPECT_TRUE(timer.is_pending());
    ASSERT_TRUE(run_until(loop, [&] { return rings == 1; }));
    EXPECT_GE(Clock::now() - begun, 20ms);
    EXPECT_FALSE(timer.is_pending());
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 30; }));
    EXPECT_EQ(rings, 1);
}

TEST(Timer, RestartedLater_RingsOnlyAtTheLastDueTime) {
    EventLoop loop;
    TimePoint rang;
    Timer timer(loop, [&] { rang = Clock::now(); });
    const TimePoint begun = Clock::now();
    timer.start(10ms);
    timer.start(30ms);
    timer.start(60ms);
    ASSERT_TRUE(run_until(loop, [&] { return rang != TimePoint(); }));
    EXPECT_GE(rang - begun, 60ms);
}

TEST(Timer, RestartedEarlier_RingsEarlier) {
    EventLoop loop;
    bool rang = false;
    Timer timer(loop, [&] { rang = true; });
    const TimePoint begun = Clock::now();
    timer.start(60s);
    timer.start(10ms);
    ASSERT_TRUE(run_until(loop, [&] { return rang; }));
    EXPECT_LT(Clock::now() - begun, 5s);
}

TEST(Timer, Stopped_DoesNotRingAndStartsAgain) {
    EventLoop loop;
    int rings = 0;
    Timer timer(loop, [&] { ++rings; });
    timer.start(5ms);
    timer.stop();
    Timer later(loop, [&] { loop.stop(); });
    later.start(30ms);
    loop.run();
    EXPECT_EQ(rings, 0);
    timer.start(5ms);
    ASSERT_TRUE(run_until(loop, [&] { return rings == 1; }));
}

TEST(Timer, StoppedAndStartedLaterThanArmed_RingsAtTheNewTime) {
    EventLoop loop;
    TimePoint rang;
    Timer timer(loop, [&] { rang = Clock::now(); });
    timer.start(5ms);
    timer.stop();
    const TimePoint begun = Clock::now();
    timer.start(40ms);
    ASSERT_TRUE(run_until(loop, [&] { return rang != TimePoint(); }));
    EXPECT_GE(rang - begun, 40ms);
}

TEST(Timer, StartedInItsOwnCallback_RingsAgain) {
    EventLoop loop;
    int rings = 0;
    std::optional<Timer> timer;
    timer.emplace(loop, [&] {
        if (++rings < 3) timer->start(1ms);
    });
    timer->start(1ms);
    ASSERT_TRUE(run_until(loop, [&] { return rings == 3; }));
}

TEST(Timer, Destroyed_DoesNotRing) {
    EventLoop loop;
    bool rang = false;
    {
        Timer timer(loop, [&] { rang = true; });
        timer.start(1ms);
    }
    Timer later(loop, [&] { loop.stop(); });
    later.start(20ms);
    loop.run();
    EXPECT_FALSE(rang);
}

TEST(Timer, OfNegativeDelay_RingsFromTheLoop) {
    EventLoop loop;
    bool rang = false;
    Timer timer(loop, [&] { rang = true; });
    timer.start(-5s);
    EXPECT_FALSE(rang);
    ASSERT_TRUE(run_until(loop, [&] { return rang; }));
}

TEST(SignalWatch, CallsBackOnTheLoop) {
    EventLoop loop;
    int caught = 0;
    const SignalWatch watch(loop, SIGUSR2, [&] { ++caught; });
    ::raise(SIGUSR2);
    EXPECT_EQ(caught, 0);
    ASSERT_TRUE(run_until(loop, [&] { return caught == 1; }));
}

TEST(FdWatch, CallsBackWhileReadableUnlessPaused) {
    EventLoop loop;
    auto [here, there] = socket_pair();
    int calls = 0;
    FdWatch watch(loop, here.get(), [&] { ++calls; });
    ASSERT_EQ(::send(there.get(), "x", 1, 0), 1);
    ASSERT_TRUE(run_until(loop, [&] { return calls > 2; }));
    watch.pause();
    const int so_far = calls;
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 10; }));
    EXPECT_EQ(calls, so_far);
    watch.resume();
    ASSERT_TRUE(run_until(loop, [&] { return calls > so_far; }));
}

}  // namespace
}  // namespace gatepost::net::testing

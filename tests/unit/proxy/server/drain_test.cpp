#include "proxy/server/drain.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/logged.h"

namespace gatepost::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = Drain::State;

/// A process of which nothing is left as soon as `open` is 0. Time passes only in pass().
class DrainTest : public ::testing::Test, private DrainHost {
  protected:
    void term() { drain_.on_signal("SIGTERM", now_); }

    /// So long, with every wake-up that is due in it.
    void pass(Duration span) {
        const TimePoint until = now_ + span;
        while (has_wake_up_ && wake_up_ <= until) {
            now_ = wake_up_;
            has_wake_up_ = false;
            drain_.wake(now_);
        }
        now_ = until;
    }

    std::size_t open_ = 1;
    std::size_t cut_ = 0;
    std::vector<std::string> done_;  ///< to the process
    test::Logged log_;
    Drain drain_{*this, log_.sink()};

  private:
    [[nodiscard]] Times drain_times() const override {
        return {.delay = seconds(5), .timeout = seconds(60), .answer = seconds(10)};
    }
    void announce_drain() override { done_.emplace_back("announce"); }
    void close_doors() override { done_.emplace_back("close doors"); }
    void cut_sessions() override { done_.emplace_back("cut sessions"); }
    void cut_everything() override { done_.emplace_back("cut everything"); }
    [[nodiscard]] std::size_t sessions() const override { return open_; }
    [[nodiscard]] std::size_t sessions_cut() const override { return cut_; }
    [[nodiscard]] bool is_quiet() const override { return open_ == 0; }
    void wake_drain_in(Duration delay) override {
        wake_up_ = now_ + delay;
        has_wake_up_ = true;
    }
    void end_process() override { done_.emplace_back("end"); }

    TimePoint now_;
    TimePoint wake_up_;
    bool has_wake_up_ = false;
};

TEST_F(DrainTest, Signal_WhenItServes_AnnouncesAndStillAcceptsForTheDelay) {
    EXPECT_FALSE(drain_.has_begun());
    term();
    EXPECT_TRUE(drain_.has_begun());
    open_ = 0;  // that nobody is there now says nothing of who still comes
    pass(milliseconds(4999));
    EXPECT_THAT(done_, ElementsAre("announce"));
    pass(milliseconds(1));
    EXPECT_THAT(done_, ElementsAre("announce", "close doors"));
}

TEST_F(DrainTest, Finishing_WhenTheLastSessionEnds_EndsTheProcessSoon) {
    term();
    pass(seconds(30));
    EXPECT_THAT(done_, ElementsAre("announce", "close doors"));
    open_ = 0;
    pass(Drain::kLookEvery);
    EXPECT_THAT(done_, ElementsAre("announce", "close doors", "end"));
    EXPECT_EQ(drain_.state(), State::kOver);
}

TEST_F(DrainTest, Finishing_WhenTheTimeIsOver_CutsAllButThoseThatAwaitAnAnswer) {
    term();
    pass(seconds(64));
    EXPECT_EQ(drain_.state(), State::kFinishing);
    pass(milliseconds(1100));
    EXPECT_EQ(drain_.state(), State::kAwaitingAnswers);
    EXPECT_THAT(done_, ElementsAre("announce", "close doors", "cut sessions"));
    open_ = 0;
    cut_ = 3;
    pass(Drain::kLookEvery);
    EXPECT_EQ(drain_.state(), State::kOver);
    EXPECT_THAT(log_.text(), HasSubstr("drained sessions=3 duration=65."));
}

TEST_F(DrainTest, AwaitingAnswers_WhenNoneComesInTime_CutsThoseTooAndWaitsForLastWords) {
    term();
    pass(seconds(75) + Drain::kLookEvery);
    EXPECT_EQ(drain_.state(), State::kCutting);
    EXPECT_THAT(done_, ElementsAre("announce", "close doors", "cut sessions", "cut everything"));
    pass(Drain::kLastWords + Drain::kLookEvery);
    EXPECT_EQ(done_.back(), "end");
}

TEST_F(DrainTest, SecondSignal_WhateverTheState_CutsEverythingAtOnce) {
    term();
    pass(seconds(1));
    drain_.on_signal("SIGINT", TimePoint() + seconds(1));
    EXPECT_THAT(done_, ElementsAre("announce", "cut everything"));
    open_ = 0;
    pass(milliseconds(1));
    EXPECT_EQ(done_.back(), "end");
    EXPECT_THAT(log_.text(), HasSubstr("signal signal=SIGINT what=\"ending now\""));
}

TEST_F(DrainTest, SecondSignal_WhenSomebodyDoesNotTakeHisLastWords_EndsAllTheSame) {
    term();
    pass(seconds(6));
    term();
    pass(Drain::kLastWords - milliseconds(10));
    EXPECT_EQ(drain_.state(), State::kCutting);
    pass(Drain::kLookEvery);
    EXPECT_EQ(done_.back(), "end");
}

TEST_F(DrainTest, FirstSignal_AfterAnOperatorAsked_ChangesNothing) {
    drain_.ask({}, TimePoint());
    EXPECT_EQ(drain_.reason(), "drain");
    term();
    pass(seconds(6));
    EXPECT_THAT(done_, ElementsAre("announce", "close doors"));
    EXPECT_EQ(drain_.reason(), "signal");
    term();
    EXPECT_THAT(done_, ElementsAre("announce", "close doors", "cut everything"));
    const std::string said = log_.text();
    EXPECT_THAT(said, HasSubstr("drain trigger=api"));
    EXPECT_THAT(said, HasSubstr("signal signal=SIGTERM what=draining"));
}

TEST_F(DrainTest, Ask_WhenItIsOver_TellsAllWhoAskedAndLeavesThemTimeToHearIt) {
    int told = 0;
    drain_.ask([&] { ++told; }, TimePoint());
    term();
    pass(seconds(6));
    drain_.ask([&] { ++told; }, TimePoint() + seconds(6));
    EXPECT_EQ(told, 0);
    open_ = 0;
    pass(Drain::kLookEvery);
    EXPECT_EQ(told, 2);
    EXPECT_NE(done_.back(), "end");
    pass(Drain::kAnswerTime);
    EXPECT_EQ(done_.back(), "end");
}

TEST_F(DrainTest, SecondSignal_WhileOperatorsAreTold_DoesNotTellThemTwice) {
    int told = 0;
    drain_.ask([&] { ++told; }, TimePoint());
    open_ = 0;
    pass(seconds(5) + Drain::kLookEvery);
    EXPECT_EQ(drain_.state(), State::kTelling);
    term();
    term();
    pass(seconds(1));
    EXPECT_EQ(told, 1);
    EXPECT_THAT(done_, ElementsAre("announce", "close doors", "end"));
}

}  // namespace
}  // namespace gatepost::server

// How long what took: the questions that are answered in order, and Gatepost's own part of a transaction.
#include <chrono>

#include <gtest/gtest.h>

#include "proxy/server/own_time.h"
#include "proxy/server/time_line.h"

namespace gatepost::server {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint at(Duration since) {
    return TimePoint(1h + since);
}

TEST(TimeLine, AnswersComeInTheOrderOfQuestions) {
    TimeLine line;
    EXPECT_EQ(line.answer(), std::nullopt);
    line.ask(at(1ms));
    line.ask(at(2ms));
    line.ask(at(2ms));
    line.ask(at(3ms));
    for (const Duration asked : {1ms, 2ms, 2ms, 3ms}) EXPECT_EQ(line.answer(), at(asked));
    EXPECT_EQ(line.answer(), std::nullopt);
}

TEST(TimeLine, WhenThereIsNoPlaceLeft_LaterOnesLookAsOldAsTheNewest) {
    TimeLine line;
    for (int i = 1; i <= 6; ++i) line.ask(at(i * 1ms));
    for (const Duration asked : {1ms, 2ms, 3ms, 4ms, 4ms, 4ms}) EXPECT_EQ(line.answer(), at(asked));
    EXPECT_EQ(line.answer(), std::nullopt);
    line.ask(at(9ms));
    EXPECT_EQ(line.answer(), at(9ms));
}

TEST(TimeLine, WhenTheNewestGoesOn_OnlyItBeginsAgain) {
    TimeLine line;
    line.ask(at(1ms));
    line.ask(at(1ms));
    line.ask_again(at(5ms));
    EXPECT_EQ(line.answer(), at(1ms));
    EXPECT_EQ(line.answer(), at(5ms));
    line.ask_again(at(7ms));
    EXPECT_EQ(line.answer(), at(7ms)) << "of a command that has had its first reply";
    line.ask(at(8ms));
    line.clear();
    EXPECT_EQ(line.answer(), std::nullopt);
}

TEST(OwnTime, IsTheWorkAndTheWaitsThatAreOurs) {
    OwnTime own;
    EXPECT_FALSE(own.is_running());
    own.begin(at(0ms));
    EXPECT_TRUE(own.is_running());
    own.rest(at(0ms), at(1ms), true);       // 1 ms of work, then we wait for the limits
    own.rest(at(11ms), at(13ms), false);    // 10 ms of that and 2 ms of work, then the client's turn
    own.rest(at(500ms), at(503ms), false);  // 3 ms of work, then the upstream's
    EXPECT_EQ(own.end(at(900ms), at(904ms)), 20ms);
    EXPECT_FALSE(own.is_running());
}

TEST(OwnTime, WhenTwoEventsFallIntoOneTurn_ItsBeginningCountsOnce) {
    OwnTime own;
    own.begin(at(0ms));
    own.rest(at(0ms), at(2ms), false);
    own.rest(at(0ms), at(5ms), false);  // the loop's time is still that of the turn
    EXPECT_EQ(own.end(at(0ms), at(6ms)), 6ms);
}

TEST(OwnTime, ASecondTransactionBeginsAtZero) {
    OwnTime own;
    own.begin(at(0ms));
    EXPECT_EQ(own.end(at(0ms), at(4ms)), 4ms);
    own.begin(at(10ms));
    EXPECT_EQ(own.end(at(10ms), at(11ms)), 1ms);
}

}  // namespace
}  // namespace gatepost::server

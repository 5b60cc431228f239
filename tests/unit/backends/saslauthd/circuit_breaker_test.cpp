#include "backends/saslauthd/circuit_breaker.h"

#include <gtest/gtest.h>

namespace gatepost::backends {
namespace {

using namespace std::chrono_literals;
using Pass = CircuitBreaker::Pass;

class CircuitBreakerTest : public ::testing::Test {
  protected:
    void fail(int times) {
        for (int i = 0; i < times; ++i) breaker_.note_failure(false, now_);
    }

    CircuitBreaker breaker_{3, 1s};
    TimePoint now_{100s};
};

TEST_F(CircuitBreakerTest, OnlyFailuresInARowOpenIt) {
    fail(2);
    breaker_.note_success(false);
    fail(2);
    EXPECT_EQ(breaker_.admit(now_), Pass::kFree);
    fail(1);
    EXPECT_EQ(breaker_.admit(now_), Pass::kNone);
}

TEST_F(CircuitBreakerTest, AfterThePauseOneProbeDecides) {
    fail(3);
    EXPECT_EQ(breaker_.admit(now_ + 999ms), Pass::kNone);
    EXPECT_EQ(breaker_.admit(now_ + 1s), Pass::kProbe);
    EXPECT_EQ(breaker_.admit(now_ + 10s), Pass::kNone) << "one at a time";
    breaker_.note_failure(true, now_ + 10s);
    EXPECT_EQ(breaker_.admit(now_ + 10999ms), Pass::kNone);
    EXPECT_EQ(breaker_.admit(now_ + 11s), Pass::kProbe);
    breaker_.note_success(true);
    EXPECT_EQ(breaker_.admit(now_ + 11s), Pass::kFree);
    fail(2);
    EXPECT_EQ(breaker_.admit(now_), Pass::kFree) << "counts from nothing again";
}

TEST_F(CircuitBreakerTest, LateFailuresDoNotExtendThePauseAndALateSuccessEndsIt) {
    fail(3);
    breaker_.note_failure(false, now_ + 900ms);
    EXPECT_EQ(breaker_.admit(now_ + 1s), Pass::kProbe);
    breaker_.note_success(false);
    EXPECT_EQ(breaker_.admit(now_), Pass::kFree);
    breaker_.note_failure(true, now_);
    EXPECT_FALSE(breaker_.is_open()) << "of a closed circuit it is a failure as any other";
}

}  // namespace
}  // namespace gatepost::backends

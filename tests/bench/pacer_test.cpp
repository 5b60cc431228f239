// What a paced load promises: a message that began late does not move those behind it.
#include "tests/bench/pacer.h"

#include <gtest/gtest.h>

namespace gatepost::bench {
namespace {

using namespace std::chrono_literals;

TEST(Pacer, WhenNoRateIsGiven_IsOff) {
    EXPECT_FALSE(Pacer(0).is_on());
}

TEST(Pacer, WhenMessagesAreTaken_ComeAtEvenlySpacedInstantsFromTheStart) {
    Pacer pacer(400);
    const Pacer::Instant began{5s};
    pacer.start(began);
    EXPECT_TRUE(pacer.is_on());
    EXPECT_EQ(pacer.due(), began);
    pacer.take();
    EXPECT_EQ(pacer.due(), began + 2500us);
    for (int i = 0; i < 399; ++i) pacer.take();
    EXPECT_EQ(pacer.due(), began + 1s);
}

}  // namespace
}  // namespace gatepost::bench

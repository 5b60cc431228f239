#include "auth/check/single_flight.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::auth {
namespace {

TEST(SingleFlight, OneRunsAndAllAreAnswered) {
    SingleFlight<std::unique_ptr<int>> flights;  // waiters may be what only moves
    const Digest one{1};
    const Digest two{2};
    EXPECT_TRUE(flights.join(one, std::make_unique<int>(1)));
    EXPECT_FALSE(flights.join(one, std::make_unique<int>(2)));
    EXPECT_TRUE(flights.join(two, std::make_unique<int>(3)));
    EXPECT_FALSE(flights.join(one, std::make_unique<int>(4)));
    EXPECT_EQ(flights.size(), 2U);
    const std::vector<std::unique_ptr<int>> done = flights.finish(one);
    ASSERT_EQ(done.size(), 3U);
    EXPECT_EQ(*done[0], 1);
    EXPECT_EQ(*done[1], 2);
    EXPECT_EQ(*done[2], 4);
    EXPECT_TRUE(flights.finish(one).empty());
    EXPECT_TRUE(flights.join(one, std::make_unique<int>(5))) << "a new check, not the answer of the last";
    EXPECT_EQ(flights.size(), 2U);
}

}  // namespace
}  // namespace gatepost::auth

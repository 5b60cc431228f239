#include "proxy/server/slots.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::server {
namespace {

TEST(ConnectionSlots, RefusesBeyondTheCapUntilOneIsGivenBack) {
    ConnectionSlots slots(2);
    ConnectionSlot first = slots.take();
    const ConnectionSlot second = slots.take();
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(slots.take());
    first = {};
    EXPECT_TRUE(slots.take()) << "a temporary gives it back at once";
    EXPECT_TRUE(slots.take());
}

TEST(ConnectionSlots, MovingASlotKeepsItsCount) {
    ConnectionSlots slots(1);
    ConnectionSlot slot = slots.take();
    {
        const ConnectionSlot moved = std::move(slot);
        EXPECT_FALSE(slots.take());
    }
    EXPECT_TRUE(slots.take());
}

TEST(ConnectionSlots, NeverMoreThanTheCapOverThreads) {
    constexpr int kCap = 3;
    ConnectionSlots slots(kCap);
    std::atomic<int> held = 0;
    std::atomic<bool> exceeded = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 2000; ++round) {
                const ConnectionSlot slot = slots.take();
                if (!slot) continue;
                if (++held > kCap) exceeded = true;
                --held;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(exceeded);
}

}  // namespace
}  // namespace gatepost::server

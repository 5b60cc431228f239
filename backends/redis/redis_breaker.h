// When to stop asking a server that fails, and when to try it again; and how long to rest between attempts.
// Pure: told the time. On the thread of its owner.
#pragma once

#include <algorithm>
#include <random>

#include "proxy/base/clock.h"

namespace gatepost::backends {

/// Five failures in a row open it; a second later, or once a connection stands again, one question goes out
/// as a probe, and its fate decides.
class RedisBreaker {
  public:
    enum class State { kClosed, kOpen, kHalfOpen };

    explicit RedisBreaker(int failures = 5, Duration rest = std::chrono::seconds(1))
        : most_failures_(failures), rest_(rest) {}

    [[nodiscard]] State state(TimePoint now) noexcept {
        if (state_ == State::kOpen && now >= reopens_) state_ = State::kHalfOpen;
        return state_;
    }

    void succeeded() noexcept {
        state_ = State::kClosed;
        failures_ = 0;
    }

    void failed(TimePoint now) noexcept {
        if (++failures_ < most_failures_ && state_ != State::kHalfOpen) return;
        state_ = State::kOpen;
        reopens_ = now + rest_;
    }

    /// A connection stands: worth a probe before the rest is over.
    void connected() noexcept {
        if (state_ == State::kOpen) state_ = State::kHalfOpen;
    }

  private:
    int most_failures_;
    Duration rest_;
    State state_ = State::kClosed;
    int failures_ = 0;
    TimePoint reopens_;
};

/// 50 ms, doubled for each attempt up to 5 s, of which between a half and all is waited, so that many workers
/// do not come back at one instant.
class Backoff {
  public:
    static constexpr std::chrono::milliseconds kLeast{50};
    static constexpr std::chrono::milliseconds kMost{5000};

    [[nodiscard]] Duration next() {
        const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(next_);
        next_ = std::min<Duration>(next_ * 2, kMost);
        std::uniform_int_distribution<std::int64_t> pick(whole.count() / 2, whole.count());
        return std::chrono::microseconds(pick(random_));
    }
    void reset() noexcept { next_ = kLeast; }

  private:
    Duration next_ = kLeast;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace gatepost::backends

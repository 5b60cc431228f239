// The two clocks. Pure code is given instants and durations and never asks for the time itself. Any thread.
#pragma once

#include <chrono>

namespace gatepost {

/// Deadlines and durations: never jumps.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// What people read (Received: lines, logs): may jump.
using WallTime = std::chrono::sys_seconds;

}  // namespace gatepost

// One-shot timer, signal watch and descriptor watch of an event loop; each cancels itself when it dies. They
// never run their callback inside the call that asked for it. On the loop's own thread.
#pragma once

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"
#include "proxy/net/event_loop.h"

namespace gatepost::net {

/// Made to be restarted for each command: start() with a later due time, and stop(), cost no more than an
/// assignment; the reactor is only told when the timer would otherwise ring too late, and an early ring is
/// set again.
class Timer {
  public:
    /// `callback` may start, stop or, by loop.defer(), destroy the timer. Costs no memory in the reactor
    /// before start().
    Timer(EventLoop& loop, Task callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Due once, `delay` from the loop's now(); an earlier start() is forgotten.
    void start(Duration delay);
    void stop() noexcept { is_pending_ = false; }
    [[nodiscard]] bool is_pending() const noexcept { return is_pending_; }

    /// Requires is_pending().
    [[nodiscard]] TimePoint due() const noexcept { return due_; }

  private:
    static void on_event(int fd, short what, void* self);
    void ring();
    void arm(TimePoint now);

    EventLoop& loop_;
    Task callback_;
    EventPointer event_;
    TimePoint due_;
    TimePoint armed_for_;
    bool is_pending_ = false;
    bool is_armed_ = false;
};

/// Calls back on the loop's thread each time the process receives the signal. Only one loop of the process
/// may watch signals.
class SignalWatch {
  public:
    SignalWatch(EventLoop& loop, int signal_number, Task callback);
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

  private:
    Task callback_;
    EventPointer event_;
};

/// Calls back while `fd` is readable (level-triggered); does not own `fd`, which must stay open as long as
/// the watch.
class FdWatch {
  public:
    FdWatch(EventLoop& loop, int fd, Task callback);
    FdWatch(const FdWatch&) = delete;
    FdWatch& operator=(const FdWatch&) = delete;

    void pause();
    void resume();

  private:
    Task callback_;
    EventPointer event_;
};

}  // namespace gatepost::net

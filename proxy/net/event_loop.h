// One libevent reactor and the thread that runs it. Knows no protocol. post() and stop() from any thread, all else from
// the loop's own.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"

struct event;
struct event_base;

namespace gatepost::net {

class EventLoop final : public Executor {
  public:
    EventLoop();
    ~EventLoop() override;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// Runs on the calling thread, which becomes the loop's own, until stop().
    void run();

    /// Any thread. run() returns after the current turn; calling it before run() makes run() return at once.
    void stop();

    /// Any thread; see Executor. Wakes the loop.
    void post(Task task) override;

    /// Own thread only: runs `task` after the current callback has returned, before the loop waits again. No system call.
    void defer(Task task);

    /// The instant of this turn, read once a turn. Own thread.
    [[nodiscard]] TimePoint now() const noexcept { return now_; }

    /// The loop's one read buffer, lent to whichever transport reads right now; its contents last until the next read.
    [[nodiscard]] std::span<char> read_buffer() noexcept { return read_buffer_; }

    /// Aborts when called from another thread than the one in run(): an invariant, not input.
    void assert_here() const noexcept;

    [[nodiscard]] event_base* base() noexcept { return base_.get(); }

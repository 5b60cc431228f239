// One libevent reactor and the thread that runs it. Knows no protocol. post() and stop() from any thread, all
// else from the loop's own.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"
#include "proxy/net/unique_fd.h"

struct event;
struct event_base;

namespace gatepost::net {

struct FreeEvent {
    void operator()(event* watched) const noexcept;
};
/// A libevent event; freeing it also cancels it.
using EventPointer = std::unique_ptr<event, FreeEvent>;

/// Something that lives on in the loop after its maker is gone, until it leaves by itself or the loop ends.
class Resident {
  public:
    virtual ~Resident() = default;
};

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

    /// Own thread only: runs `task` at the end of this turn, after the current callback has returned and
    /// before the loop waits again. No system call. A task deferred by a deferred task runs at the end of the
    /// next turn, which does not wait.
    void defer(Task task);

    /// The instant of this turn, read at most once a turn. Own thread.
    [[nodiscard]] TimePoint now() const noexcept;

    /// How long run() has worked so far, up to the end of the last turn: from where a turn asked for the time
    /// first, mostly in its first callback, to its end. Own thread.
    [[nodiscard]] Duration busy() const noexcept { return busy_; }

    /// What transports of this loop keep: octets read and not yet used, or to be sent. Own thread.
    void note_buffered(std::ptrdiff_t change) noexcept { buffered_ += change; }
    [[nodiscard]] std::ptrdiff_t buffered() const noexcept { return buffered_; }

    /// The loop's one read buffer, lent to whichever transport reads right now; its contents last until the
    /// next read.
    [[nodiscard]] std::span<char> read_buffer() noexcept { return {read_buffer_.get(), kReadBufferSize}; }

    /// Aborts when called from another thread than the one in run(): an invariant, not input.
    void assert_here() const noexcept;

    [[nodiscard]] event_base* base() noexcept { return base_.get(); }

    /// Runs the callback of `watched` with EV_TIMEOUT in the next turn, which then does not wait. Own thread.
    void run_soon(event* watched);

    /// Must be called before an event that is queued by run_soon() is freed.
    void forget_soon(const event* watched) noexcept;

    /// Keeps `resident` alive until dismiss() or the end of the loop. Own thread.
    void adopt(std::unique_ptr<Resident> resident);

    /// Destroys an adopted resident at the end of this turn, so that it may dismiss itself. Own thread.
    void dismiss(const Resident& resident);

    /// Any thread.
    [[nodiscard]] std::size_t residents() const noexcept {
        return resident_count_.load(std::memory_order_acquire);
    }

  private:
    struct FreeBase {
        void operator()(event_base* base) const noexcept;
    };
    /// 64 KiB that a transport kept unconsumed in front of 112 KiB newly read.
    static constexpr std::size_t kReadBufferSize = 256 * 1024;

    void turn();
    void run_posted();
    void run_deferred();
    void wake() noexcept;

    std::unique_ptr<event_base, FreeBase> base_;
    std::unique_ptr<char[]> read_buffer_;
    std::atomic<std::thread::id> runner_;
    std::atomic<bool> stopping_ = false;

    UniqueFd wakeup_;
    EventPointer wakeup_event_;
    std::mutex posted_lock_;
    std::vector<Task> posted_;
    std::vector<Task> posted_running_;

    std::vector<Task> deferred_;
    std::vector<Task> deferred_running_;
    std::vector<event*> soon_;
    std::vector<std::unique_ptr<Resident>> residents_;
    std::atomic<std::size_t> resident_count_ = 0;

    Duration busy_{};
    std::ptrdiff_t buffered_ = 0;
    mutable TimePoint now_;
    mutable bool now_is_known_ = false;
    bool in_turn_ = false;
};

}  // namespace gatepost::net

// The threads that hash, so that reactors never do: a fixed number of them and a bounded queue with a
// deadline. A full queue is an answer, never a wait. Any thread may submit.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "proxy/base/clock.h"

namespace gatepost::auth {

class VerifyPool {
  public:
    struct Settings {
        std::size_t threads = 1;                       ///< at least one is wanted
        std::size_t queue = 1024;                      ///< jobs waiting, those that run not counted
        Duration deadline = std::chrono::seconds(10);  ///< longest wait before a job is run as late
    };

    /// Jobs own what they touch. `is_late`: it waited longer than the deadline and should only say so. Must
    /// not throw.
    using Job = std::move_only_function<void(bool is_late)>;

    /// For metrics; read at any time from any thread, each number by itself.
    struct Counts {
        std::uint64_t waiting = 0;
        std::uint64_t running = 0;
        std::uint64_t done = 0;
        std::uint64_t refused = 0;  ///< the queue was full
        std::uint64_t late = 0;
    };

    /// The system may refuse threads: see is_complete().
    explicit VerifyPool(Settings settings);
    ~VerifyPool();
    VerifyPool(const VerifyPool&) = delete;
    VerifyPool& operator=(const VerifyPool&) = delete;

    /// Every thread that was wanted runs. If not, the pool should not be used.
    [[nodiscard]] bool is_complete() const noexcept {
        return threads_.size() >= std::max<std::size_t>(settings_.threads, 1);
    }

    /// First come, first served. false: the queue is full or the pool has stopped, and `job` was destroyed
    /// unrun.
    [[nodiscard]] bool try_submit(Job job);

    /// Destroys what waits, lets what runs end, joins. To be called before the executors that jobs post to
    /// are destroyed; the destructor calls it. Not from a job.
    void stop();

    [[nodiscard]] Counts counts() const;

  private:
    struct Waiting {
        Job job;
        TimePoint late_at;
    };

    void work();

    const Settings settings_;
    mutable std::mutex mutex_;
    std::condition_variable has_work_;
    std::deque<Waiting> queue_;
    bool is_stopped_ = false;
    Counts counts_;  // under mutex_
    std::vector<std::thread> threads_;
};

}  // namespace gatepost::auth

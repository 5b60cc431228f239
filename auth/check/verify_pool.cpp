#include "auth/check/verify_pool.h"

#include <system_error>
#include <utility>

namespace gatepost::auth {

VerifyPool::VerifyPool(Settings settings) : settings_(settings) {
    try {
        while (!is_complete()) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        return;
    }
}

VerifyPool::~VerifyPool() {
    stop();
}

bool VerifyPool::try_submit(Job job) {
    {
        const std::lock_guard lock(mutex_);
        if (is_stopped_ || queue_.size() >= settings_.queue) {
            ++counts_.refused;
            return false;
        }
        queue_.push_back({.job = std::move(job), .late_at = Clock::now() + settings_.deadline});
    }
    has_work_.notify_one();
    return true;
}

void VerifyPool::stop() {
    std::deque<Waiting> unrun;  // destroyed outside the lock: jobs own things with destructors of their own
    {
        const std::lock_guard lock(mutex_);
        is_stopped_ = true;
        unrun.swap(queue_);
    }
    has_work_.notify_all();
    unrun.clear();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

VerifyPool::Counts VerifyPool::counts() const {
    const std::lock_guard lock(mutex_);
    Counts counts = counts_;
    counts.waiting = queue_.size();
    return counts;
}

void VerifyPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        has_work_.wait(lock, [this] { return is_stopped_ || !queue_.empty(); });
        if (is_stopped_) return;
        Waiting next = std::move(queue_.front());
        queue_.pop_front();
        const bool is_late = Clock::now() > next.late_at;
        ++counts_.running;
        lock.unlock();
        next.job(is_late);
        next.job = nullptr;  // what it owned ends here, before the pool looks idle
        lock.lock();
        --counts_.running;
        ++counts_.done;
        if (is_late) ++counts_.late;
    }
}

}  // namespace gatepost::auth

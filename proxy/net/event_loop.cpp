#include "proxy/net/event_loop.h"

#include <cstdlib>
#include <sys/eventfd.h>
#include <utility>

#include <event2/event.h>

namespace gatepost::net {

namespace {

event_base* make_base() {
    event_config* config = event_config_new();
    if (config == nullptr) std::abort();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);

    event_base* base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == nullptr) std::abort();
    return base;
}

}  // namespace

void FreeEvent::operator()(event* watched) const noexcept {
    event_free(watched);
}

void EventLoop::FreeBase::operator()(event_base* base) const noexcept {
    event_base_free(base);
}

EventLoop::EventLoop()
    : base_(make_base()),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferSize)),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wakeup_) std::abort();
    // Edge-triggered: each write to an eventfd is an edge, so the counter never has to be read.
    const auto on_wakeup = [](evutil_socket_t, short, void* self) {
        static_cast<EventLoop*>(self)->run_posted();
    };
    wakeup_event_.reset(event_new(base_.get(), wakeup_.get(), EV_READ | EV_ET | EV_PERSIST, on_wakeup, this));
    if (!wakeup_event_ || event_add(wakeup_event_.get(), nullptr) != 0) std::abort();
}

EventLoop::~EventLoop() {
    // What the tasks and residents own may itself call back here while it dies, so it goes while everything
    // still stands.
    std::exchange(posted_, {}).clear();
    std::exchange(deferred_, {}).clear();
    std::exchange(residents_, {}).clear();
    wakeup_event_.reset();
}

void EventLoop::run() {
    runner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    in_turn_ = true;
    while (!stopping_.load(std::memory_order_acquire)) turn();
    in_turn_ = false;
    stopping_.store(false, std::memory_order_relaxed);
    runner_.store({}, std::memory_order_relaxed);
}

/// One poll, its callbacks, and what they deferred. Without a dispatch interval: with one, libevent polls
/// again inside this call as long as enough descriptors stay ready, and deferred tasks, timers and stop()
/// would starve.
void EventLoop::turn() {
    for (event* waiting : soon_) event_active(waiting, EV_TIMEOUT, 0);
    soon_.clear();
    now_is_known_ = false;
    const int dont_wait = deferred_.empty() ? 0 : EVLOOP_NONBLOCK;
    event_base_loop(base_.get(), EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | dont_wait);
    run_deferred();
    if (now_is_known_) busy_ += Clock::now() - now_;
}

void EventLoop::stop() {
    stopping_.store(true, std::memory_order_release);
    wake();
}

void EventLoop::post(Task task) {
    // From its own thread there is nobody to wake, and no order between threads to keep.
    if (runner_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return defer(std::move(task));
    bool is_first = false;
    {
        const std::lock_guard hold(posted_lock_);
        is_first = posted_.empty();
        posted_.push_back(std::move(task));
    }
    if (is_first) wake();
}

void EventLoop::wake() noexcept {
    const std::uint64_t one = 1;
    // Can only fail when the counter is full, and then the loop is awake.
    [[maybe_unused]] const ssize_t written = ::write(wakeup_.get(), &one, sizeof one);
}

void EventLoop::run_posted() {
    {
        const std::lock_guard hold(posted_lock_);
        posted_running_.swap(posted_);
    }
    for (Task& task : posted_running_) std::exchange(task, nullptr)();
    posted_running_.clear();
}

void EventLoop::defer(Task task) {
    deferred_.push_back(std::move(task));
}

void EventLoop::run_deferred() {
    if (deferred_.empty()) return;
    deferred_running_.swap(deferred_);
    for (Task& task : deferred_running_) std::exchange(task, nullptr)();
    deferred_running_.clear();
}

TimePoint EventLoop::now() const noexcept {
    if (!in_turn_) return Clock::now();
    if (!now_is_known_) {
        now_ = Clock::now();
        now_is_known_ = true;
    }
    return now_;
}

void EventLoop::assert_here() const noexcept {
    const std::thread::id runner = runner_.load(std::memory_order_relaxed);
    if (runner != std::thread::id() && runner != std::this_thread::get_id()) std::abort();
}

void EventLoop::run_soon(event* watched) {
    soon_.push_back(watched);
}

void EventLoop::forget_soon(const event* watched) noexcept {
    std::erase(soon_, watched);
}

void EventLoop::adopt(std::unique_ptr<Resident> resident) {
    residents_.push_back(std::move(resident));
    resident_count_.store(residents_.size(), std::memory_order_release);
}

void EventLoop::dismiss(const Resident& resident) {
    defer([this, leaving = &resident] {
        std::erase_if(residents_,
                      [leaving](const auto& resident_here) { return resident_here.get() == leaving; });
        resident_count_.store(residents_.size(), std::memory_order_release);
    });
}

}  // namespace gatepost::net

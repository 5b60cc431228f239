#include "proxy/net/timer.h"

#include <cstdlib>
#include <sys/time.h>
#include <utility>

#include <event2/event.h>

namespace gatepost::net {

namespace {

timeval to_timeval(Duration delay) {
    using namespace std::chrono;
    // Rounded up: ringing early would only mean to wait again.
    const auto whole = std::max(ceil<microseconds>(delay), microseconds::zero());
    const auto in_seconds = floor<seconds>(whole);
    return {.tv_sec = in_seconds.count(), .tv_usec = (whole - in_seconds).count()};
}

void run_task(evutil_socket_t /*fd*/, short /*what*/, void* task) {
    (*static_cast<Task*>(task))();
}

void add_or_abort(event* watched) {
    if (watched == nullptr || event_add(watched, nullptr) != 0) std::abort();
}

}  // namespace

Timer::Timer(EventLoop& loop, Task callback) : loop_(loop), callback_(std::move(callback)) {}

Timer::~Timer() = default;

void Timer::start(Duration delay) {
    const TimePoint now = loop_.now();
    due_ = now + delay;
    is_pending_ = true;
    if (is_armed_ && armed_for_ <= due_) return;
    arm(now);
}

void Timer::arm(TimePoint now) {
    if (!event_) {
        event_.reset(event_new(loop_.base(), -1, 0, on_event, this));
        if (!event_) std::abort();
    }
    const timeval wait = to_timeval(due_ - now);
    if (event_add(event_.get(), &wait) != 0) std::abort();
    armed_for_ = due_;
    is_armed_ = true;
}

void Timer::on_event(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    static_cast<Timer*>(self)->ring();
}

void Timer::ring() {
    is_armed_ = false;
    if (!is_pending_) return;
    const TimePoint now = loop_.now();
    if (now < due_) {
        arm(now);
        return;
    }
    is_pending_ = false;
    callback_();
}

SignalWatch::SignalWatch(EventLoop& loop, int signal_number, Task callback)
    : callback_(std::move(callback)),
      event_(event_new(loop.base(), signal_number, EV_SIGNAL | EV_PERSIST, run_task, &callback_)) {
    add_or_abort(event_.get());
}

FdWatch::FdWatch(EventLoop& loop, int fd, Task callback)
    : callback_(std::move(callback)),
      event_(event_new(loop.base(), fd, EV_READ | EV_PERSIST, run_task, &callback_)) {
    add_or_abort(event_.get());
}

void FdWatch::pause() {
    event_del(event_.get());
}

void FdWatch::resume() {
    add_or_abort(event_.get());
}

}  // namespace gatepost::net

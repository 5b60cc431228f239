// epoll as the load uses it. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <span>
#include <sys/epoll.h>

namespace gatepost::bench {

/// At most `limit`, to the nanosecond: a paced load that wakes once a millisecond comes in bursts.
inline int wait_for_events(int epoll, std::chrono::nanoseconds limit, std::span<epoll_event> events) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
    const timespec left{.tv_sec = seconds.count(), .tv_nsec = (limit - seconds).count()};
    return epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()), &left, nullptr);
}

/// `before` are the events that were watched until now; 0 = none.
inline void watch_events(int epoll, int fd, void* owner, std::uint32_t before, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = owner}};
    epoll_ctl(epoll, before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

}  // namespace gatepost::bench

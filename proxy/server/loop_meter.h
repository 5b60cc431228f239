// Looks, now and then, how a worker's event loop is: how much it worked, how late it is, and what its
// connections keep in buffers. On the worker's thread.
#pragma once

#include <chrono>
#include <cstddef>

#include "proxy/net/timer.h"
#include "proxy/observe/worker_metrics.h"

namespace gatepost::server {

class LoopMeter {
  public:
    /// Rather rarely, so that an idle process stays idle.
    static constexpr std::chrono::milliseconds kInterval{500};

    /// `metrics` is of the process, for this loop's thread alone; both outlive the meter. Made before the
    /// loop runs, or on its thread.
    LoopMeter(net::EventLoop& loop, observe::WorkerMetrics& metrics, observe::WorkerIndex worker)
        : loop_(loop), metrics_(metrics), worker_(worker), timer_(loop, [this] { look(); }) {
        look_again();
    }

  private:
    void look() {
        metrics_.loop_lagged(loop_.now() - due_);
        metrics_.worker_busy(worker_, loop_.busy() - busy_);
        busy_ = loop_.busy();
        metrics_.buffers_changed(loop_.buffered() - buffered_);
        buffered_ = loop_.buffered();
        look_again();
    }

    void look_again() {
        due_ = loop_.now() + kInterval;
        timer_.start(kInterval);
    }

    net::EventLoop& loop_;
    observe::WorkerMetrics& metrics_;
    const observe::WorkerIndex worker_;
    TimePoint due_;
    Duration busy_{};
    std::ptrdiff_t buffered_ = 0;
    net::Timer timer_;
};

}  // namespace gatepost::server

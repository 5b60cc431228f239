// Tells the log and the metrics when limits cease to be counted by the shared store, and when they are
// counted there again: one line a change, not one a question, whichever worker sees it first. Any worker's
// thread.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "conf/config.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"

namespace gatepost::server {

class LimitStoreLog {
  public:
    /// Both references outlive it.
    LimitStoreLog(observe::LogSink& log, observe::MetricsRegistry& registry,
                  conf::LimitStoreUnavailable when_unavailable)
        : log_(log), when_unavailable_(when_unavailable), registry_(&registry) {}

    /// From now on its gauges are in this one, which outlives the object or the next call.
    void use(observe::MetricsRegistry& registry);

    /// The store of one worker does not count, until back(). `reason` holds no secret.
    void away(std::string_view reason, unsigned replicas);
    void back();
    void replicas(unsigned seen);

  private:
    observe::LogSink& log_;
    const conf::LimitStoreUnavailable when_unavailable_;
    std::mutex mutex_;  // guards all below
    observe::MetricsRegistry* registry_;
    unsigned replicas_ = 1;
    unsigned stores_away_ = 0;
};

}  // namespace gatepost::server

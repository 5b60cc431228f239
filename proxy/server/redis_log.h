// Tells the log when a Redis is lost and found again: one line a change, not one an attempt, whichever worker
// sees it first. Shared by the workers' connections to one backend. Any worker's thread.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "proxy/observe/log_sink.h"

namespace gatepost::server {

class RedisLog {
  public:
    /// `log` outlives it.
    RedisLog(observe::LogSink& log, std::string name) : log_(log), name_(std::move(name)) {}

    /// A worker has a connection to `server`.
    void connected(std::string_view server);
    /// An attempt of a worker failed or, with `had_one`, its connection is gone. `reason` holds no secret.
    void lost(std::string_view server, std::string_view reason, bool had_one);
    /// A worker asks no more for a while, or asks again. Only changes.
    void breaker(bool is_open);

  private:
    enum class State { kUnknown, kUp, kDown };

    observe::LogSink& log_;
    const std::string name_;
    std::mutex mutex_;
    State state_ = State::kUnknown;
    std::string server_;  ///< that was told last
    std::string reason_;  ///< of the last failure
    unsigned connections_ = 0;
    unsigned open_breakers_ = 0;
};

}  // namespace gatepost::server

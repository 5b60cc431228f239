// The log: one line for each event, to a file descriptor (standard error), written by a thread of its own in
// batches. A slow or gone reader costs lines, which are counted, and never time of a session. Any thread may
// log.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "conf/log_events.h"
#include "proxy/observe/log_value.h"

namespace gatepost::observe {

struct LogSinkLimits {
    std::size_t buffer = 1024 * 1024;        ///< octets that may wait; lines beyond are dropped and counted
    std::chrono::milliseconds collect{100};  ///< lines wait this long for company; warnings and errors do not
    std::chrono::milliseconds flush_at_end{
        2'000};  ///< the destructor gives a reader that has stopped this long
};

class LogSink {
  public:
    /// Writes to `descriptor`, which stays the caller's and open. Starts the writer thread.
    explicit LogSink(conf::LogLevel level, int descriptor = 2, LogSinkLimits limits = {});
    explicit LogSink(const conf::Log& settings, int descriptor = 2, LogSinkLimits limits = {})
        : LogSink(settings.level, descriptor, limits) {
        set_format(settings.format);
    }
    /// Writes what waits, for at most `flush_at_end`. Nobody may log any more.
    ~LogSink();
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;

    /// One line, unless `level` is below the sink's. Fields that the event may not carry are an invariant
    /// broken. Text with anything but plain characters is quoted and escaped, and cut after 256 octets. Never
    /// blocks on the reader.
    void log(conf::LogEvent event, conf::LogLevel level, std::initializer_list<LogPair> fields);
    /// At the level of the event's row.
    void log(conf::LogEvent event, std::initializer_list<LogPair> fields) {
        log(event, conf::row_of(event).level, fields);
    }

    /// What is logged from now on; a line that is being made meanwhile is of either.
    void set_level(conf::LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }
    void set_format(conf::LogFormat format) noexcept { format_.store(format, std::memory_order_relaxed); }

    [[nodiscard]] conf::LogLevel level() const noexcept { return level_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool wants(conf::LogLevel level) const noexcept { return level >= this->level(); }

    /// Lines logged so far at `level`, those that were dropped included; and those dropped, of all levels.
    [[nodiscard]] std::uint64_t lines(conf::LogLevel level) const noexcept;
    [[nodiscard]] std::uint64_t dropped() const noexcept;

  private:
    class Writer;

    std::atomic<conf::LogLevel> level_;
    std::atomic<conf::LogFormat> format_ = conf::LogFormat::Text;
    std::unique_ptr<Writer> writer_;
};

}  // namespace gatepost::observe

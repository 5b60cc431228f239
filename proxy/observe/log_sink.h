// The log: one line for each event, to a file descriptor (standard error), written by a thread of its own in
// batches. A slow or gone reader costs lines, which are counted, and never time of a session. Any thread may
// log.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "conf/log_events.h"
#include "proxy/base/secret.h"

namespace gatepost::observe {

/// A value on its way into a line: a number, a truth, a duration (printed in seconds), or untrusted octets,
/// which are always escaped. Views must last for the call only. A Secret does not convert.
class LogValue {
  public:
    // NOLINTBEGIN(google-explicit-constructor): {LogField::user, name} should read as it does
    LogValue(std::string_view text) : kind_(Kind::kText), text_(text) {}
    LogValue(const std::string& text) : LogValue(std::string_view(text)) {}
    LogValue(const char* text) : LogValue(std::string_view(text)) {}
    LogValue(std::same_as<bool> auto truth) : LogValue(std::string_view(truth ? "true" : "false")) {}
    LogValue(std::signed_integral auto number) : kind_(Kind::kNumber), number_(number) {}
    LogValue(std::unsigned_integral auto number)
        requires(!std::same_as<decltype(number), bool>)
        : kind_(Kind::kCount), count_(number) {}
    template <typename Rep, typename Period>
    LogValue(std::chrono::duration<Rep, Period> duration)
        : kind_(Kind::kDuration),
          number_(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) {}
    // NOLINTEND(google-explicit-constructor)
    LogValue(const Secret&) = delete;
    LogValue(char) = delete;

    [[nodiscard]] bool is_empty_text() const noexcept { return kind_ == Kind::kText && text_.empty(); }

  private:
    friend class LogLine;
    enum class Kind : std::uint8_t { kText, kNumber, kCount, kDuration };
    Kind kind_;
    std::string_view text_;
    union {
        std::int64_t number_ = 0;
        std::uint64_t count_;
    };
};

struct LogPair {
    conf::LogField field;
    LogValue value;
};

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

    [[nodiscard]] bool wants(conf::LogLevel level) const noexcept { return level >= level_; }

    /// Lines logged so far at `level`, those that were dropped included; and those dropped, of all levels.
    [[nodiscard]] std::uint64_t lines(conf::LogLevel level) const noexcept;
    [[nodiscard]] std::uint64_t dropped() const noexcept;

  private:
    class Writer;

    const conf::LogLevel level_;
    std::unique_ptr<Writer> writer_;
};

}  // namespace gatepost::observe

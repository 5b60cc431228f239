#include "proxy/observe/log_sink.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>

#include "conf/metrics.h"
#include "proxy/base/clock.h"
#include "proxy/observe/log_line.h"

namespace gatepost::observe {
namespace {

using conf::LogFormat;
using conf::LogLevel;

static_assert(to_string(static_cast<conf::LogLevelLabel>(LogLevel::Debug)) == "debug" &&
                  to_string(static_cast<conf::LogLevelLabel>(LogLevel::Error)) == "error",
              "the metric's levels are in the order of the configuration's");

/// By conf::LogFormat. The time is RFC 3339's, in UTC.
constexpr std::array kPatterns{
    "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
    R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
    "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v",
};
static_assert(static_cast<int>(LogFormat::Text) == 0 && static_cast<int>(LogFormat::Json) == 1 &&
                  static_cast<int>(LogFormat::Logfmt) == 2,
              "the patterns are in the order of the configuration's words");

/// The most that a pipe takes at once whenever it takes anything, so that a write after poll() cannot block.
constexpr std::size_t kWriteAtMost = 4096;

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::Debug: return spdlog::level::debug;
        case LogLevel::Info: return spdlog::level::info;
        case LogLevel::Warning: return spdlog::level::warn;
        case LogLevel::Error: return spdlog::level::err;
    }
    return spdlog::level::err;
}

/// No signal is delivered to the writer: SIGPIPE would end the process, and the others belong to the main
/// loop.
class AllSignalsBlocked {
  public:
    AllSignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

}  // namespace

/// The buffer between those who log and the descriptor, and the thread that empties it.
class LogSink::Writer {
  public:
    Writer(int descriptor, LogSinkLimits limits) : descriptor_(descriptor), limits_(limits) {
        const AllSignalsBlocked inherited_by_the_thread;
        thread_ = std::thread([this] { run(); });
    }

    ~Writer() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void add(LogLevel level, LogFormat text_format, std::string_view text) {
        lines_[static_cast<std::size_t>(level)].fetch_add(1, std::memory_order_relaxed);
        bool wake = false;
        {
            const std::lock_guard lock(mutex_);
            report_format_ = text_format;
            if (waiting_.size() + text.size() + kPrefixAtMost > limits_.buffer) {
                ++unreported_;
                dropped_.fetch_add(1, std::memory_order_relaxed);
                return;
            }
            wake = waiting_.empty();
            format(waiting_, level, text_format, text);
            if (!urgent_ && (level >= LogLevel::Warning || waiting_.size() > limits_.buffer / 2)) {
                wake = urgent_ = true;
            }
        }
        if (wake) wake_.notify_one();
    }

    [[nodiscard]] std::uint64_t lines(LogLevel level) const noexcept {
        return lines_[static_cast<std::size_t>(level)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  private:
    static constexpr std::size_t kPrefixAtMost = 64;  // time, level and line end

    // Requires mutex_: a formatter remembers the second that it printed last.
    void format(std::string& out, LogLevel level, LogFormat text_format, std::string_view text) {
        scratch_.clear();
        formatters_[static_cast<std::size_t>(text_format)].format(
            spdlog::details::log_msg({}, spdlog_level(level), {text.data(), text.size()}), scratch_);
        out.append(scratch_.data(), scratch_.size());
    }

    void run() {
        std::string batch;
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            wake_.wait_for(lock, limits_.collect, [this] { return stopping_ || urgent_; });
            if (waiting_.empty()) return;  // stopping
            batch.clear();
            batch.swap(waiting_);
            urgent_ = false;
            report_dropped(batch);
            lock.unlock();
            write(batch);
            lock.lock();
        }
    }

    void report_dropped(std::string& batch) {
        if (unreported_ == 0) return;
        std::string text;
        LogLine::append(text, report_format_, conf::LogEvent::log_dropped,
                        {{conf::LogField::lines, std::exchange(unreported_, 0)}});
        const LogLevel level = conf::row_of(conf::LogEvent::log_dropped).level;
        lines_[static_cast<std::size_t>(level)].fetch_add(1, std::memory_order_relaxed);
        format(batch, level, report_format_, text);
    }

    void write(std::string_view batch) {
        while (!batch.empty()) {
            if (!await_reader()) break;
            const ssize_t written = ::write(descriptor_, batch.data(), std::min(batch.size(), kWriteAtMost));
            if (written >= 0) {
                batch.remove_prefix(static_cast<std::size_t>(written));
            } else if (errno != EINTR && errno != EAGAIN) {
                break;
            }
        }
        const auto lost = std::count(batch.begin(), batch.end(), '\n');
        if (lost == 0) return;
        dropped_.fetch_add(static_cast<std::uint64_t>(lost), std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        unreported_ += static_cast<std::uint64_t>(lost);
    }

    /// False when the sink ends and its reader does not read.
    [[nodiscard]] bool await_reader() {
        pollfd reader{descriptor_, POLLOUT, 0};
        while (poll(&reader, 1, kPollMilliseconds) <= 0) {
            const std::lock_guard lock(mutex_);
            if (!stopping_) continue;
            const TimePoint now = Clock::now();
            if (give_up_at_ == TimePoint{}) give_up_at_ = now + limits_.flush_at_end;
            if (now >= give_up_at_) return false;
        }
        return true;
    }

    static constexpr int kPollMilliseconds = 50;

    const int descriptor_;
    const LogSinkLimits limits_;
    TimePoint give_up_at_{};  // of the thread

    std::array<std::atomic<std::uint64_t>, 4> lines_{};
    std::atomic<std::uint64_t> dropped_ = 0;

    std::mutex mutex_;  // guards all below
    std::condition_variable wake_;
    std::array<spdlog::pattern_formatter, 3> formatters_{
        spdlog::pattern_formatter{kPatterns[0], spdlog::pattern_time_type::utc, "\n"},
        spdlog::pattern_formatter{kPatterns[1], spdlog::pattern_time_type::utc, "\n"},
        spdlog::pattern_formatter{kPatterns[2], spdlog::pattern_time_type::utc, "\n"}};
    LogFormat report_format_ = LogFormat::Text;  // of the line that came last
    spdlog::memory_buf_t scratch_;
    std::string waiting_;
    std::uint64_t unreported_ = 0;
    bool urgent_ = false;
    bool stopping_ = false;

    std::thread thread_;
};

LogSink::LogSink(LogLevel level, int descriptor, LogSinkLimits limits)
    : level_(level), writer_(std::make_unique<Writer>(descriptor, limits)) {}

LogSink::~LogSink() = default;

void LogSink::log(conf::LogEvent event, LogLevel level, std::initializer_list<LogPair> fields) {
    if (!wants(level)) return;
    thread_local std::string text;
    text.clear();
    const LogFormat format = format_.load(std::memory_order_relaxed);
    LogLine::append(text, format, event, fields);
    writer_->add(level, format, text);
}

std::uint64_t LogSink::lines(LogLevel level) const noexcept {
    return writer_->lines(level);
}
std::uint64_t LogSink::dropped() const noexcept {
    return writer_->dropped();
}

}  // namespace gatepost::observe

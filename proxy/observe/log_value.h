// What may be said of an event: a field of the table and its value. Any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
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
    LogValue(std::string_view text) : kind_(conf::LogFieldKind::kText), text_(text) {}
    LogValue(const std::string& text) : LogValue(std::string_view(text)) {}
    LogValue(const char* text) : LogValue(std::string_view(text)) {}
    LogValue(std::same_as<bool> auto truth) : kind_(conf::LogFieldKind::kTruth), number_(truth ? 1 : 0) {}
    LogValue(std::signed_integral auto number) : kind_(conf::LogFieldKind::kNumber), number_(number) {}
    LogValue(std::unsigned_integral auto number)
        requires(!std::same_as<decltype(number), bool>)
        : kind_(conf::LogFieldKind::kNumber), is_unsigned_(true), count_(number) {}
    template <typename Rep, typename Period>
    LogValue(std::chrono::duration<Rep, Period> duration)
        : kind_(conf::LogFieldKind::kSeconds),
          number_(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) {}
    // NOLINTEND(google-explicit-constructor)
    LogValue(const Secret&) = delete;
    LogValue(char) = delete;

    [[nodiscard]] conf::LogFieldKind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_empty_text() const noexcept {
        return kind_ == conf::LogFieldKind::kText && text_.empty();
    }

  private:
    friend class LogLine;
    conf::LogFieldKind kind_;
    bool is_unsigned_ = false;
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

}  // namespace gatepost::observe

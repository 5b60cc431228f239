// Runs a function at the end of a scope unless dismissed. Move-only; a discarded guard is a compile error.
// Any thread.
#pragma once

#include <optional>
#include <utility>

namespace gatepost {

template <typename Function>
class [[nodiscard]] ScopeGuard {
  public:
    explicit ScopeGuard(Function at_end) : at_end_(std::move(at_end)) {}
    ScopeGuard(ScopeGuard&& other) noexcept : at_end_(std::exchange(other.at_end_, std::nullopt)) {}
    ScopeGuard& operator=(ScopeGuard&&) = delete;
    ~ScopeGuard() {
        if (at_end_) (*at_end_)();
    }

    void dismiss() { at_end_.reset(); }

  private:
    std::optional<Function> at_end_;
};

}  // namespace gatepost

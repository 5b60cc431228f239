// Stops asking somebody who does not answer: after some failures in a row nobody is let through for a while,
// then one, whose outcome decides. Pure: told the time, on the thread of its owner.
#pragma once

#include <cstddef>

#include "proxy/base/clock.h"

namespace gatepost::backends {

class CircuitBreaker {
  public:
    enum class Pass {
        kFree,
        kProbe,  ///< the one whose outcome decides; it must be noted with was_probe
        kNone,
    };

    CircuitBreaker(std::size_t failures, Duration pause) : limit_(failures), pause_(pause) {}

    [[nodiscard]] Pass admit(TimePoint now) {
        if (!is_open_) return Pass::kFree;
        if (is_probing_ || now < reopens_) return Pass::kNone;
        is_probing_ = true;
        return Pass::kProbe;
    }

    /// Anybody's success closes the circuit, also of one who was let through before it opened.
    void note_success(bool was_probe) {
        if (was_probe) is_probing_ = false;
        failed_ = 0;
        is_open_ = false;
    }

    /// While the circuit is open only the probe's failure counts: it begins another pause.
    void note_failure(bool was_probe, TimePoint now) {
        if (was_probe) is_probing_ = false;
        if (is_open_ ? !was_probe : ++failed_ < limit_) return;
        is_open_ = true;
        reopens_ = now + pause_;
    }

    [[nodiscard]] bool is_open() const noexcept { return is_open_; }

  private:
    const std::size_t limit_;
    const Duration pause_;
    TimePoint reopens_;
    std::size_t failed_ = 0;
    bool is_open_ = false;
    bool is_probing_ = false;
};

}  // namespace gatepost::backends

// The instants at which the messages of a paced load are due: evenly spaced, however late the answers are, so
// that a server that stalls does not slow down those who ask it. Never reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace gatepost::bench {

class Pacer {
  public:
    using Instant = std::chrono::steady_clock::time_point;

    /// `rate` messages a second; 0 = nothing is paced.
    explicit Pacer(double rate) : rate_(rate) {}

    [[nodiscard]] bool is_on() const { return rate_ > 0; }
    void start(Instant now) { began_ = now; }
    /// When the next message is due. Requires is_on().
    [[nodiscard]] Instant due() const {
        const std::chrono::duration<double> since(static_cast<double>(taken_) / rate_);
        return began_ + std::chrono::duration_cast<Instant::duration>(since);
    }
    /// The next message begins, at its time or later.
    void take() { ++taken_; }

  private:
    double rate_;
    Instant began_{};
    std::uint64_t taken_ = 0;
};

}  // namespace gatepost::bench

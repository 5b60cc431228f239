// When a server counts as healthy: so many good probes in a row to rise, so many bad ones, or failures of
// sessions, to fall; the first probe of all decides at once. Pure.
#pragma once

#include <cstdint>

namespace gatepost::upstream {

class Health {
  public:
    Health(std::uint64_t rise, std::uint64_t fall) : rise_(rise), fall_(fall) {}

    /// Takes the outcome of one probe. True when the verdict changed by it.
    bool note(bool good);

    /// What a session found out: true when it is to be ejected, which eject() does.
    [[nodiscard]] bool note_session(bool good);
    void eject();

    [[nodiscard]] bool is_healthy() const noexcept { return healthy_; }
    /// At least one probe has ended.
    [[nodiscard]] bool is_known() const noexcept { return known_; }

  private:
    std::uint64_t rise_;
    std::uint64_t fall_;
    std::uint64_t against_ = 0;          ///< probes in a row that speak against the verdict
    std::uint64_t failed_sessions_ = 0;  ///< in a row
    bool healthy_ = false;
    bool known_ = false;
};

}  // namespace gatepost::upstream

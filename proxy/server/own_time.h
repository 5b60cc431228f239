// How much of a mail transaction's time is Gatepost's own: its work in each event, and the waits in which
// neither client nor upstream could have gone on. Time is brought by the caller. Pure.
#pragma once

#include <algorithm>

#include "proxy/base/clock.h"

namespace gatepost::server {

class OwnTime {
  public:
    void begin(TimePoint now) {
        is_running_ = true;
        is_ours_ = true;
        spent_ = {};
        since_ = now;
    }

    [[nodiscard]] bool is_running() const noexcept { return is_running_; }

    /// The end of an event that began at `began`; `is_ours`: the wait that follows is Gatepost's too.
    void rest(TimePoint began, TimePoint now, bool is_ours) {
        spent_ += spent_until(began, now);
        since_ = now;
        is_ours_ = is_ours;
    }

    /// In the middle of an event: all until `now`.
    [[nodiscard]] Duration end(TimePoint began, TimePoint now) {
        is_running_ = false;
        return spent_ + spent_until(began, now);
    }

  private:
    /// The turn may have begun before the wait did: an earlier event of the same turn has counted that.
    [[nodiscard]] Duration spent_until(TimePoint began, TimePoint now) const {
        return now - (is_ours_ ? since_ : std::max(since_, began));
    }

    TimePoint since_;  ///< the last event ended, or the transaction began
    Duration spent_{};
    bool is_running_ = false;
    bool is_ours_ = false;
};

}  // namespace gatepost::server

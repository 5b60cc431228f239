// When each of several things was asked that are answered in the same order. Of a fixed, small size: what is
// asked at one instant takes one place, and when there is no place left, the newest one is shared, so that a
// later question looks as old as that one. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "proxy/base/clock.h"

namespace gatepost::server {

class TimeLine {
  public:
    void ask(TimePoint now) {
        if (count_ > 0 && (newest().at == now || count_ == kPlaces)) {
            ++newest().questions;
        } else {
            places_[(head_ + count_++) % kPlaces] = {.at = now, .questions = 1};
        }
    }

    /// The newest question begins again; without one, this is one.
    void ask_again(TimePoint now) {
        if (count_ > 0 && --newest().questions == 0) --count_;
        ask(now);
    }

    /// When the oldest was asked; nothing when none was.
    [[nodiscard]] std::optional<TimePoint> answer() {
        if (count_ == 0) return std::nullopt;
        Place& oldest = places_[head_];
        const TimePoint at = oldest.at;
        if (--oldest.questions == 0) {
            head_ = static_cast<std::uint8_t>((head_ + 1) % kPlaces);
            --count_;
        }
        return at;
    }

    void clear() { count_ = 0; }

  private:
    static constexpr std::uint8_t kPlaces = 4;
    struct Place {
        TimePoint at;
        std::uint32_t questions = 0;
    };

    [[nodiscard]] Place& newest() { return places_[(head_ + count_ - 1) % kPlaces]; }

    std::array<Place, kPlaces> places_{};
    std::uint8_t head_ = 0;
    std::uint8_t count_ = 0;
};

}  // namespace gatepost::server

#include "proxy/upstream/health.h"

#include <utility>

namespace gatepost::upstream {

bool Health::note(bool good) {
    if (!std::exchange(known_, true)) {
        healthy_ = good;
        return true;
    }
    if (good == healthy_) {
        against_ = 0;
        return false;
    }
    if (++against_ < (good ? rise_ : fall_)) return false;
    against_ = 0;
    healthy_ = good;
    return true;
}

bool Health::note_session(bool good) {
    failed_sessions_ = good ? 0 : failed_sessions_ + 1;
    return healthy_ && failed_sessions_ >= fall_;
}

void Health::eject() {
    healthy_ = false;
    against_ = 0;
    failed_sessions_ = 0;
}

}  // namespace gatepost::upstream

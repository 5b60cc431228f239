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

}  // namespace gatepost::upstream

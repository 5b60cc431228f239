// When networks are the whole world. Any thread.
#pragma once

#include <vector>

#include "conf/config.h"

namespace gatepost::conf {

/// Together they hold half of IPv4 or of IPv6, or more: nobody has such a network of his own.
[[nodiscard]] bool is_everybody(const std::vector<Network>& networks);

}  // namespace gatepost::conf

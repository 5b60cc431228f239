// What one replica counts alone while Redis is away: its share. Pure. Any thread.
#pragma once

#include "proxy/policy/limit_store.h"

namespace gatepost::backends {

/// The question with the share of one of `replicas` in its rate. What fits the whole fits an empty share, so
/// that nothing is refused for ever only because Redis is away.
[[nodiscard]] policy::LimitQuestion share_of(policy::LimitQuestion question, unsigned replicas);

}  // namespace gatepost::backends

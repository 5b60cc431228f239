// The part of the plan that says who may send how much as whom: `limits` and `policy` of the configuration.
// Any thread.
#pragma once

#include "conf/config.h"
#include "proxy/policy/limits.h"
#include "proxy/session/settings.h"

namespace gatepost::server {

/// In the order of the configuration: a rule's number is its place there, and its label's in the metrics.
[[nodiscard]] policy::Limits to_limits(const conf::Config& config);

void plan_policy(const conf::Policy& policy, session::Settings& settings);

}  // namespace gatepost::server

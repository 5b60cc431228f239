// The process at a glance, put together from what is counted and watched anyway. Main thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/operations.h"
#include "proxy/server/plan.h"
#include "proxy/server/upstream_watch.h"

namespace gatepost::server {

struct StatusParts {
    const Plan& plan;
    const observe::MetricsRegistry& registry;  ///< of that plan
    std::span<const std::unique_ptr<UpstreamWatch>> watches;
    Duration up{};
    std::vector<std::string> unready_because;
    bool is_draining = false;
    Status::Configuration configuration;
};

[[nodiscard]] Status collect_status(StatusParts parts);

}  // namespace gatepost::server

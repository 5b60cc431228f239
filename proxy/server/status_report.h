// What an operator on call is told first: does mail flow, and whose fault it is when not. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/server/operations.h"

namespace gatepost::server {

struct Finding {
    bool is_broken = false;  ///< mail suffers now; else it is only to be looked at
    std::string whose;  ///< upstream, backend, listener, certificate, configuration, limit store, operator
    std::string what;   ///< a sentence
    bool operator==(const Finding&) const = default;
};

enum class Health {
    kFlows,
    kSuffers,  ///< some mail does not flow
    kStopped,  ///< none does, or a new session is not served
};

struct StatusReport {
    Status status;
    Health health = Health::kFlows;
    std::vector<Finding> findings;  ///< what is broken first
};

[[nodiscard]] StatusReport report_of(Status status, WallTime now);

/// "flows", "suffers", "stopped".
[[nodiscard]] std::string_view to_string(Health health);
/// "mail flows", "some mail does not flow", "mail does not flow", "draining".
[[nodiscard]] std::string headline(const StatusReport& report);

/// "2026-11-28 22:10:03 UTC".
[[nodiscard]] std::string utc_text(WallTime time);

}  // namespace gatepost::server

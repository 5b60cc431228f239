// The status as JSON: what /status.json and the admin socket answer, and `gatepost status` reads again. The
// fields are in docs/admin.md; change them only by adding. Pure.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/server/status_report.h"

namespace gatepost::server {

/// Ends with a line end. Octets that are no UTF-8 are replaced.
[[nodiscard]] std::string status_json(const StatusReport& report);

/// What another version did not say is left at its default.
[[nodiscard]] Result<StatusReport> parse_status(std::string_view json);

}  // namespace gatepost::server

// The status as one page of HTML for people: no script, reloads itself. Everything in it is escaped. Pure.
#pragma once

#include <string>

#include "proxy/server/status_report.h"

namespace gatepost::server {

[[nodiscard]] std::string status_page(const StatusReport& report);

}  // namespace gatepost::server

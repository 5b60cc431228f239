// `gatepost status`: the running Gatepost at a glance, so that an operator on call sees in ten seconds
// whether mail flows, and whose fault it is when not. Main thread; blocks.
#pragma once

#include <ostream>

#include "proxy/commands/admin_target.h"
#include "proxy/server/status_report.h"

namespace gatepost::commands {

struct StatusQuery {
    AdminTarget target;
    bool is_json = false;
    bool has_colours = false;
};

/// 0 when it serves, 1 when it is not ready; else as in admin_target.h.
[[nodiscard]] int status(const StatusQuery& query, std::ostream& out, std::ostream& err);

/// What clients and configuration say is printable in it.
void print_status(const server::StatusReport& report, bool has_colours, std::ostream& out);

}  // namespace gatepost::commands

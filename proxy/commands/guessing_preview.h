// What the rules against guessing say of an address and a user, as rows of an AUTH trace. The loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "conf/config.h"
#include "proxy/commands/auth_trace.h"

namespace gatepost::commands {

[[nodiscard]] bool is_ip_address(std::string_view text);

/// `address` is one. The counts of a memory store are those of this process, so none; the rows say so.
void trace_guessing(const conf::Config& config, const std::string& address, const std::string& user,
                    Executor& home, AuthTrace& trace);

}  // namespace gatepost::commands

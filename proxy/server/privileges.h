// run_as: giving up the rights that only a start needs, for good. What a process may is the kernel's and the
// account database's to say; nothing is kept here. Main thread; all threads of the process change together.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "conf/config.h"
#include "proxy/base/result.h"
#include "proxy/observe/log_sink.h"

namespace gatepost::server {

/// An account, as the machine knows it.
struct RunAs {
    std::string user;
    uid_t uid = 0;
    gid_t gid = 0;
};

/// "user" or "user:group", both by name; the group is the user's own when none is named. Root is refused.
[[nodiscard]] Result<RunAs> find_run_as(std::string_view text);

/// Nothing that this process might start gets rights that it has not itself. Before any thread begins: each
/// has this from the one that made it.
void forbid_new_privileges();

/// Becomes that user, in all threads, and makes sure that there is no way back. Fine too when it is that user
/// already.
[[nodiscard]] Result<void> become(const RunAs& account);

/// What run_as asks for, once the ports are bound, the files read and the admin socket is open, which then
/// belongs to that user. False: it cannot be done, and the log says why.
[[nodiscard]] bool drop_privileges(const conf::Config& config, observe::LogSink& log);

/// "KEY: FILE: why", for each file of the configuration that this process cannot read.
[[nodiscard]] std::vector<std::string> unreadable_files(const conf::Config& config);

/// The same for the user of run_as, when root asks: what a reload could not read again. Forks, so there must
/// be one thread only.
[[nodiscard]] std::vector<std::string> run_as_notes(const conf::Config& config);

}  // namespace gatepost::server

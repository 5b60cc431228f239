// The addresses that the process listens on, over all reloads: opens what a configuration adds, or takes what
// the service manager has opened. Who accepts from them is not its matter. Main thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/observe/log_sink.h"
#include "proxy/server/acceptors.h"
#include "proxy/server/inherited_sockets.h"
#include "proxy/server/plan.h"

namespace gatepost::server {

class ListeningSockets {
  public:
    /// `log` outlives this object.
    ListeningSockets(InheritedSockets inherited, observe::LogSink& log)
        : inherited_(std::move(inherited)), log_(log) {}

    /// A door for each listener, with a socket where nobody listens yet. The error, which is in the log,
    /// names the address.
    [[nodiscard]] Result<std::vector<Acceptors::Door>> open(const Plan& plan);
    /// These are served from now on.
    void served(const std::vector<Acceptors::Door>& doors);

  private:
    InheritedSockets inherited_;
    observe::LogSink& log_;
    std::multiset<std::string> served_;  ///< addresses as configured; port 0 may be several
};

}  // namespace gatepost::server

// The two doors through which operators look in: HTTP, and the socket of the commands that change things. On
// the main loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "proxy/net/event_loop.h"
#include "proxy/observe/admin_http.h"
#include "proxy/observe/admin_socket.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/observe/worker_metrics.h"
#include "proxy/server/admin_commands.h"
#include "proxy/server/bans_commands.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/limits_commands.h"
#include "proxy/server/operations.h"
#include "proxy/server/plan.h"
#include "proxy/server/status_report.h"

namespace gatepost::server {

class Admin {
  public:
    /// All outlive it.
    struct Parts {
        net::EventLoop& loop;
        observe::LogSink& log;
        observe::WorkerMetrics& metrics;
        observe::MetricsRegistry& registry;  ///< of any generation: for what they share
        LimitStores& limit_stores;
        Operations& operations;
    };

    Admin(const Parts& parts, std::shared_ptr<const Plan> plan) : parts_(parts), plan_(std::move(plan)) {}

    /// Opens what the configuration names. False: one cannot be opened, and the log says why. Of `sources`
    /// the metrics and the readiness are the caller's to give.
    [[nodiscard]] bool open(observe::AdminSources sources);

    /// After a reload: whose limits operators look at.
    void use(std::shared_ptr<const Plan> plan);

  private:
    [[nodiscard]] bool open_http(observe::AdminSources sources);
    [[nodiscard]] bool open_socket();
    [[nodiscard]] Duration longest_drain() const;
    [[nodiscard]] StatusReport report() const;

    [[nodiscard]] LimitBooks books() const;

    const Parts parts_;
    std::shared_ptr<const Plan> plan_;  ///< that is served
    std::unique_ptr<observe::AdminHttp> http_;
    LimitStores::Opened limits_seen_;  ///< by operators
    std::optional<LimitsCommands> limits_commands_;
    std::optional<BansCommands> bans_commands_;
    std::optional<AdminCommands> commands_;
    std::unique_ptr<observe::AdminSocket> socket_;
};

}  // namespace gatepost::server

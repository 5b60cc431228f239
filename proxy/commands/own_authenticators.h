// The credential stores of a configuration, opened by a command for itself as the program opens them, on a
// loop that runs only inside the command.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/authenticators.h"
#include "proxy/server/plan.h"

namespace gatepost::commands {

/// Members are in the order in which they may be needed.
struct OwnAuthenticators {
    OwnAuthenticators(const std::shared_ptr<const conf::Config>& config, conf::LogLevel level)
        : plan(plan_of(config)), log(level), registry(server::label_sets(plan)), authenticators(loop) {}

    /// What stands in the way; empty = they are open.
    [[nodiscard]] std::vector<std::string> start() {
        return authenticators.start(plan, {.log = log, .background = background, .resolver = resolver});
    }

    const server::Plan plan;
    net::EventLoop loop;
    observe::LogSink log;
    net::BackgroundThread background;
    net::Resolver resolver{background};
    observe::MetricsRegistry registry;
    server::Authenticators authenticators;

  private:
    static server::Plan plan_of(const std::shared_ptr<const conf::Config>& config) {
        server::Plan plan;
        plan.config = plan.started = config;
        plan.hostname = config->hostname.empty() ? "localhost" : config->hostname;
        return plan;
    }
};

}  // namespace gatepost::commands

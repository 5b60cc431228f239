#include "proxy/server/admin.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "proxy/server/status_json.h"
#include "proxy/server/status_page.h"

namespace gatepost::server {

using conf::LogEvent;
using conf::LogField;

namespace {

const policy::Guessing& guessing_of(const Plan& plan) {
    return plan.listeners.front().session.guessing;
}

}  // namespace

bool Admin::open(observe::AdminSources sources) {
    return open_http(std::move(sources)) && open_socket();
}

LimitBooks Admin::books() const {
    const session::Settings& session = plan_->listeners.front().session;
    return {.store = *limits_seen_.store,
            .inventory = *limits_seen_.inventory,
            .limits = session.limits,
            .guessing = session.guessing,
            .forgotten = [&registry = parts_.registry](std::string_view key) {
                registry.auth_block_lifted(key);
            }};
}

void Admin::use(std::shared_ptr<const Plan> plan) {
    const std::shared_ptr<const Plan> before = std::exchange(plan_, std::move(plan));
    if (guessing_of(*before) != guessing_of(*plan_)) parts_.registry.forget_auth_blocks();
    if (!limits_commands_) return;
    limits_commands_->use(books());
    bans_commands_->use(books());
    commands_->add_to(*socket_, longest_drain());
}

StatusReport Admin::report() const {
    return report_of(parts_.operations.status(),
                     std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

/// Until the last session has ended, its last answer and what a loaded machine takes included.
Duration Admin::longest_drain() const {
    constexpr std::chrono::seconds kMargin{30};
    const conf::Config& config = *plan_->config;
    Duration longest_reply{};
    for (const conf::Upstream& upstream : config.upstreams)
        longest_reply = std::max<Duration>(longest_reply, upstream.reply_timeout);
    return config.drain.delay + config.drain.timeout + longest_reply + kMargin;
}

bool Admin::open_http(observe::AdminSources sources) {
    const std::optional<conf::Endpoint>& address = plan_->config->admin.address;
    if (!address) return true;
    sources.status_json = [this] { return status_json(report()); };
    sources.status_page = [this] { return status_page(report()); };
    sources.answered = [this](conf::AdminRoute route, conf::CodeClass code) {
        parts_.metrics.admin_answered(route, code);
    };
    auto http = observe::AdminHttp::listen(parts_.loop.base(), address->text, std::move(sources));
    if (!http) {
        parts_.log.log(LogEvent::listener_failed, {{LogField::listener, "admin"},
                                                   {LogField::address, address->text},
                                                   {LogField::what, http.error().message}});
        return false;
    }
    http_ = std::move(*http);
    parts_.log.log(LogEvent::admin, {{LogField::address, address->text}});
    return true;
}

bool Admin::open_socket() {
    const std::string& path = plan_->config->admin.socket;
    if (path.empty()) return true;
    auto socket = observe::AdminSocket::listen(parts_.loop, {.path = path}, parts_.log);
    if (!socket) {
        parts_.log.log(LogEvent::listener_failed, {{LogField::listener, "admin.socket"},
                                                   {LogField::address, "unix:" + path},
                                                   {LogField::what, socket.error().message}});
        return false;
    }
    socket_ = std::move(*socket);
    // Its own way to the store: what belongs to a worker is on that worker's thread.
    limits_seen_ = parts_.limit_stores.open(parts_.loop, parts_.metrics);
    limits_commands_.emplace(parts_.loop, books(), parts_.log);
    limits_commands_->add_to(*socket_);
    bans_commands_.emplace(parts_.loop, books(), parts_.log);
    bans_commands_->add_to(*socket_);
    commands_.emplace(parts_.operations, [this] { return status_json(report()); }, parts_.log);
    commands_->add_to(*socket_, longest_drain());
    parts_.log.log(LogEvent::admin, {{LogField::address, "unix:" + path}});
    return true;
}

}  // namespace gatepost::server

#include "proxy/server/upstream_watch.h"

#include <algorithm>
#include <utility>

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

std::vector<upstream::ServerToProbe> servers_of(const conf::Upstream& upstream) {
    std::vector<upstream::ServerToProbe> servers;
    for (const conf::Endpoint& server : upstream.servers) servers.push_back({server.text, server.host});
    return servers;
}

upstream::ProbeSettings probe_settings(const Plan& plan, std::size_t index) {
    const conf::Upstream& upstream = plan.config->upstreams[index];
    return {.servers = servers_of(upstream),
            .opener = plan.upstreams[index].opener,
            .identity = to_identity(upstream.identity),
            .interval = upstream.health.interval,
            .timeout = upstream.health.timeout,
            .rise = upstream.health.rise,
            .fall = upstream.health.fall,
            .totals = plan.upstreams[index].totals};
}

std::string keywords(const smtp::Capabilities& able) {
    std::string text = able.esmtp ? "EHLO" : "HELO";
    if (able.pipelining) text += " PIPELINING";
    if (able.size) text += " SIZE";
    if (able.eight_bit_mime) text += " 8BITMIME";
    if (able.smtputf8) text += " SMTPUTF8";
    if (able.dsn) text += " DSN";
    if (able.chunking) text += " CHUNKING";
    if (able.enhanced_status_codes) text += " ENHANCEDSTATUSCODES";
    if (!able.xclient.empty()) text += " XCLIENT";
    if (!able.auth_mechanisms.empty()) text += " AUTH";
    return text;
}

}  // namespace

UpstreamWatch::UpstreamWatch(net::EventLoop& loop, net::Resolver& resolver, const Plan& plan,
                             std::size_t upstream, observe::LogSink& log, observe::MetricsRegistry& registry,
                             observe::WorkerMetrics& metrics, Publish publish)
    : name_(plan.upstreams[upstream].name),
      first_endpoint_(plan.upstreams[upstream].first_endpoint),
      servers_(servers_of(plan.config->upstreams[upstream])),
      why_(servers_.size()),
      log_(log),
      registry_(registry),
      metrics_(metrics),
      publish_(std::move(publish)),
      prober_(loop, resolver, probe_settings(plan, upstream), *this) {
    publish_(prober_.snapshot());
}

observe::EndpointIndex UpstreamWatch::index_of(std::size_t endpoint) const {
    return observe::EndpointIndex{static_cast<std::uint32_t>(first_endpoint_ + endpoint)};
}

std::vector<Status::Server> UpstreamWatch::servers() const {
    std::vector<Status::Server> told;
    for (const upstream::ServerToProbe& server : servers_) told.push_back({.name = server.name});
    for (const upstream::Server& server : prober_.snapshot()->servers) {
        Status::Server& one = told[server.endpoint];
        one.is_up = one.is_up || server.is_healthy;
        one.active += server.totals->active.taken();
        one.idle += server.totals->idle.taken();
    }
    for (std::size_t i = 0; i < told.size(); ++i) {
        if (!told[i].is_up) told[i].why = why_[i];
    }
    return told;
}

void UpstreamWatch::count_connections() {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        std::uint64_t open = 0;
        std::uint64_t active = 0;
        std::uint64_t idle = 0;
        for (const upstream::Server& server : prober_.snapshot()->servers) {
            if (server.endpoint != i) continue;
            open += server.totals->open.taken();
            active += server.totals->active.taken();
            idle += server.totals->idle.taken();
        }
        registry_.set_upstream_connections(index_of(i), conf::PoolState::kActive, active);
        registry_.set_upstream_connections(index_of(i), conf::PoolState::kIdle, idle);
        registry_.set_upstream_connections(index_of(i), conf::PoolState::kOpening,
                                           open - std::min(open, active + idle));
    }
}

void UpstreamWatch::probed(std::size_t endpoint, const upstream::OpeningFailure* failure) {
    metrics_.health_checked(index_of(endpoint),
                            failure == nullptr ? conf::HealthResult::kOk : conf::HealthResult::kFailed);
    if (is_probed_ || !prober_.is_probed()) return;
    is_probed_ = true;
    publish_(prober_.snapshot());
}

void UpstreamWatch::health_changed(std::size_t endpoint, const std::string& address, bool healthy,
                                   std::string_view what) {
    if (healthy) return;  // said with its capabilities, once they are published
    why_[endpoint] = what;
    registry_.set_upstream_up(index_of(endpoint), false);
    if (is_quiet_) return;
    log_.log(LogEvent::upstream_down, {{LogField::upstream, name_},
                                       {LogField::endpoint, servers_[endpoint].name},
                                       {LogField::address, address == servers_[endpoint].name ? "" : address},
                                       {LogField::what, what}});
}

void UpstreamWatch::snapshot_changed(std::shared_ptr<const upstream::Snapshot> snapshot) {
    std::vector<bool> is_up(servers_.size(), false);
    for (const upstream::Server& server : snapshot->servers) {
        if (!server.is_healthy) continue;
        is_up[server.endpoint] = true;
        const upstream::Server* const before = told_ ? told_->find(server.endpoint, server.address) : nullptr;
        if (before != nullptr && before->is_healthy && before->capabilities == server.capabilities) continue;
        if (is_quiet_) continue;
        const std::string address = server.address.to_string();
        log_.log(LogEvent::upstream_up, {{LogField::upstream, name_},
                                         {LogField::endpoint, server.name},
                                         {LogField::address, address == server.name ? "" : address},
                                         {LogField::capabilities, keywords(server.capabilities)}});
    }
    for (std::size_t i = 0; i < is_up.size(); ++i) registry_.set_upstream_up(index_of(i), is_up[i]);
    told_ = snapshot;
    is_probed_ = is_probed_ || prober_.is_probed();  // what was not yet may have vanished
    publish_(std::move(snapshot));
}

}  // namespace gatepost::server

#include "proxy/server/upstream_watch.h"

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

upstream::ProbeSettings probe_settings(const Plan& plan, upstream::Security security) {
    const conf::Upstream& upstream = plan.config->upstreams.front();
    return {.servers = servers_of(upstream),
            .our_name = plan.hostname,
            .security = std::move(security),
            .interval = upstream.health.interval,
            .timeout = upstream.health.timeout,
            .rise = upstream.health.rise,
            .fall = upstream.health.fall};
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
    return text;
}

observe::EndpointIndex endpoint(std::size_t server) {
    return observe::EndpointIndex{static_cast<std::uint32_t>(server)};
}

}  // namespace

UpstreamWatch::UpstreamWatch(net::EventLoop& loop, net::Resolver& resolver, const Plan& plan,
                             upstream::Security security, observe::LogSink& log,
                             observe::MetricsRegistry& registry, observe::WorkerMetrics& metrics,
                             Publish publish)
    : name_(plan.config->upstreams.front().name),
      servers_(servers_of(plan.config->upstreams.front())),
      log_(log),
      registry_(registry),
      metrics_(metrics),
      publish_(std::move(publish)),
      prober_(loop, resolver, probe_settings(plan, std::move(security)), *this) {
    publish_(prober_.snapshot());
}

void UpstreamWatch::probed(std::size_t server, bool good, std::string_view /*what*/) {
    metrics_.health_checked(endpoint(server), good ? conf::HealthResult::kOk : conf::HealthResult::kFailed);
}

void UpstreamWatch::health_changed(std::size_t server, bool healthy, std::string_view what) {
    registry_.set_upstream_up(endpoint(server), healthy);
    if (healthy) return;  // said with its capabilities, once they are published
    log_.log(
        LogEvent::upstream_down,
        {{LogField::upstream, name_}, {LogField::endpoint, servers_[server].name}, {LogField::what, what}});
}

void UpstreamWatch::snapshot_changed(std::shared_ptr<const upstream::Snapshot> snapshot) {
    for (std::size_t i = 0; i < snapshot->servers.size(); ++i) {
        const upstream::Server& server = snapshot->servers[i];
        const bool is_news =
            !told_ || !told_->servers[i].is_healthy || told_->servers[i].capabilities != server.capabilities;
        if (!server.is_healthy || !is_news) continue;
        log_.log(LogEvent::upstream_up, {{LogField::upstream, name_},
                                         {LogField::endpoint, server.name},
                                         {LogField::capabilities, keywords(server.capabilities)}});
    }
    told_ = snapshot;
    publish_(std::move(snapshot));
}

}  // namespace gatepost::server

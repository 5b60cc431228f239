#include "proxy/server/status_report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "proxy/policy/limit_report.h"

namespace gatepost::server {
namespace {

constexpr std::chrono::days kExpiresSoon{14};
/// Of a hundred: so full is nearly full, and so many failed answers are more than an accident.
constexpr std::uint64_t kNearlyFull = 85;
constexpr std::uint64_t kManyFailed = 5;

using Findings = std::vector<Finding>;

std::string of(std::uint64_t some, std::uint64_t all) {
    return std::to_string(some) + " of " + std::to_string(all);
}

std::string with_why(const Status::Server& server) {
    return server.why.empty() ? "" : " (" + server.why + ")";
}

void look_at_upstream(const Status::Upstream& upstream, Findings& found) {
    const auto down = std::ranges::count(upstream.servers, false, &Status::Server::is_up);
    const bool is_gone = std::cmp_equal(down, upstream.servers.size());
    for (const Status::Server& server : upstream.servers) {
        if (!server.is_up && !is_gone)
            found.push_back({false, "upstream",
                             upstream.name + ": server " + server.name + " is down" + with_why(server)});
    }
    if (is_gone) {
        std::string names;
        for (const Status::Server& server : upstream.servers)
            names += (names.empty() ? " " : ", ") + server.name + with_why(server);
        found.push_back({true, "upstream", upstream.name + ": no server is up:" + names});
    } else if (upstream.waiting > 0) {
        found.push_back({false, "upstream",
                         upstream.name + ": " + std::to_string(upstream.waiting) +
                             " sessions wait for a connection; it is slow, or its pool too small"});
    }
}

void look_at_backend(const Status::Backend& backend, Findings& found) {
    if (backend.type == "redis" && backend.connections == 0)
        found.push_back({true, "backend", backend.name + ": no connection to it stands"});
    const std::uint64_t asked = backend.answered + backend.failed;
    if (backend.failed * 100 > asked * kManyFailed)
        found.push_back(
            {false, "backend",
             backend.name + ": " + of(backend.failed, asked) + " questions failed since the start"});
}

void look_at_listener(const Status::Listener& listener, Findings& found) {
    const bool is_full = listener.connections >= listener.most;
    if (!is_full && listener.connections * 100 < listener.most * kNearlyFull) return;
    found.push_back({is_full, "listener",
                     listener.name + (is_full ? ": full, " : ": nearly full, ") +
                         of(listener.connections, listener.most) + " connections"});
}

void look_at_certificate(const Status::Certificate& certificate, WallTime now, Findings& found) {
    if (certificate.expires - now > kExpiresSoon) return;
    const bool is_over = certificate.expires <= now;
    found.push_back({is_over, "certificate",
                     certificate.file + (is_over ? " expired " : " expires ") +
                         (is_over ? policy::duration_text(now - certificate.expires) + " ago"
                                  : "in " + policy::duration_text(certificate.expires - now))});
}

void look_at_process(const Status& status, Findings& found) {
    if (status.is_draining)
        found.push_back(
            {false, "operator", "the process was asked to end: sessions finish, new ones are not served"});
    if (!status.configuration.last_error.empty())
        found.push_back(
            {false, "configuration", "the last reload changed nothing: " + status.configuration.last_error});
    if (!status.limit_store_is_up)
        found.push_back({false, "limit store",
                         status.limit_store + " does not count: limit_store.when_unavailable is in force"});
}

Health health_of(const Status& status, const Findings& findings) {
    if (!status.unready_because.empty()) return Health::kStopped;
    return std::ranges::any_of(findings, &Finding::is_broken) ? Health::kSuffers : Health::kFlows;
}

}  // namespace

StatusReport report_of(Status status, WallTime now) {
    StatusReport report{.status = std::move(status), .health = Health::kFlows, .findings = {}};
    const Status& seen = report.status;
    look_at_process(seen, report.findings);
    for (const auto& upstream : seen.upstreams) look_at_upstream(upstream, report.findings);
    for (const auto& backend : seen.backends) look_at_backend(backend, report.findings);
    for (const auto& listener : seen.listeners) look_at_listener(listener, report.findings);
    for (const auto& certificate : seen.certificates) look_at_certificate(certificate, now, report.findings);
    std::ranges::stable_sort(report.findings, std::greater<>(), &Finding::is_broken);
    report.health = health_of(seen, report.findings);
    return report;
}

std::string_view to_string(Health health) {
    switch (health) {
        case Health::kFlows: return "flows";
        case Health::kSuffers: return "suffers";
        case Health::kStopped: return "stopped";
    }
    return "";
}

std::string headline(const StatusReport& report) {
    if (report.status.is_draining) return "draining";
    switch (report.health) {
        case Health::kFlows: return "mail flows";
        case Health::kSuffers: return "some mail does not flow";
        case Health::kStopped: return "mail does not flow";
    }
    return "";
}

std::string utc_text(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d UTC", int{date.year()},
                  unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    return text.data();
}

}  // namespace gatepost::server

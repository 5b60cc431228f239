#include "proxy/server/status_json.h"

#include <chrono>
#include <cstdint>

#include <nlohmann/json.hpp>

namespace gatepost::server {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::seconds;

std::int64_t epoch(WallTime time) {
    return time.time_since_epoch().count();
}

Json json_of(const Status::Upstream& upstream) {
    Json servers = Json::array();
    for (const Status::Server& server : upstream.servers) {
        servers.push_back({{"name", server.name},
                           {"up", server.is_up},
                           {"why", server.why},
                           {"active", server.active},
                           {"idle", server.idle}});
    }
    return {{"name", upstream.name}, {"waiting", upstream.waiting}, {"servers", servers}};
}

void write_tables(const Status& status, Json& json) {
    for (const char* const name : {"listeners", "upstreams", "backends", "limits", "certificates"})
        json[name] = Json::array();
    for (const auto& one : status.listeners) {
        json["listeners"].push_back({{"name", one.name},
                                     {"address", one.address},
                                     {"tls", one.tls},
                                     {"connections", one.connections},
                                     {"max_connections", one.most}});
    }
    for (const auto& one : status.upstreams) json["upstreams"].push_back(json_of(one));
    for (const auto& one : status.backends) {
        json["backends"].push_back({{"name", one.name},
                                    {"type", one.type},
                                    {"connections", one.connections},
                                    {"answered", one.answered},
                                    {"failed", one.failed}});
    }
    for (const auto& one : status.limits)
        json["limits"].push_back({{"name", one.name}, {"allowed", one.allowed}, {"refused", one.refused}});
    for (const auto& one : status.certificates)
        json["certificates"].push_back(
            {{"file", one.file}, {"not_after_timestamp_seconds", epoch(one.expires)}});
}

template <typename Read>
void each(const Json& json, const char* name, Read read) {
    if (const auto found = json.find(name); found != json.end())
        for (const Json& one : *found) read(one);
}

WallTime time_of(const Json& json, const char* name) {
    return WallTime(seconds(json.value(name, std::int64_t{0})));
}

void read_tables(const Json& json, Status& status) {
    each(json, "listeners", [&](const Json& one) {
        status.listeners.push_back({.name = one.value("name", ""),
                                    .address = one.value("address", ""),
                                    .tls = one.value("tls", ""),
                                    .connections = one.value("connections", std::uint64_t{0}),
                                    .most = one.value("max_connections", std::uint64_t{0})});
    });
    each(json, "upstreams", [&](const Json& one) {
        Status::Upstream upstream{.name = one.value("name", ""), .servers = {}, .waiting = 0};
        upstream.waiting = one.value("waiting", std::uint64_t{0});
        each(one, "servers", [&](const Json& server) {
            upstream.servers.push_back({.name = server.value("name", ""),
                                        .is_up = server.value("up", false),
                                        .active = server.value("active", std::uint64_t{0}),
                                        .idle = server.value("idle", std::uint64_t{0}),
                                        .why = server.value("why", "")});
        });
        status.upstreams.push_back(std::move(upstream));
    });
    each(json, "backends", [&](const Json& one) {
        status.backends.push_back({.name = one.value("name", ""),
                                   .type = one.value("type", ""),
                                   .connections = one.value("connections", std::uint64_t{0}),
                                   .answered = one.value("answered", std::uint64_t{0}),
                                   .failed = one.value("failed", std::uint64_t{0})});
    });
    each(json, "limits", [&](const Json& one) {
        status.limits.push_back({.name = one.value("name", ""),
                                 .allowed = one.value("allowed", std::uint64_t{0}),
                                 .refused = one.value("refused", std::uint64_t{0})});
    });
    each(json, "certificates", [&](const Json& one) {
        status.certificates.push_back(
            {.file = one.value("file", ""), .expires = time_of(one, "not_after_timestamp_seconds")});
    });
}

Health health_of(const std::string& word) {
    for (const Health health : {Health::kFlows, Health::kSuffers})
        if (word == to_string(health)) return health;
    return Health::kStopped;
}

StatusReport read(const Json& json) {
    StatusReport report;
    Status& status = report.status;
    status.version = json.value("version", "");
    status.pid = json.value("pid", std::int64_t{0});
    status.up = seconds(json.value("up_seconds", std::int64_t{0}));
    report.health = health_of(json.value("health", ""));
    each(json, "findings", [&](const Json& one) {
        report.findings.push_back(
            {one.value("severity", "") == "broken", one.value("whose", ""), one.value("what", "")});
    });
    each(json, "unready_because",
         [&](const Json& one) { status.unready_because.push_back(one.get<std::string>()); });
    status.is_draining = json.value("draining", false);
    const Json configuration = json.value("configuration", Json::object());
    status.configuration = {.file = configuration.value("file", ""),
                            .hash = configuration.value("hash", ""),
                            .loaded = time_of(configuration, "loaded_timestamp_seconds"),
                            .last_error = configuration.value("last_error", "")};
    const Json store = json.value("limit_store", Json::object());
    status.limit_store = store.value("type", "");
    status.limit_store_is_up = store.value("up", true);
    const Json messages = json.value("messages", Json::object());
    status.messages = {.accepted = messages.value("accepted", std::uint64_t{0}),
                       .tempfail = messages.value("tempfail", std::uint64_t{0}),
                       .permfail = messages.value("permfail", std::uint64_t{0}),
                       .aborted = messages.value("aborted", std::uint64_t{0})};
    read_tables(json, status);
    return report;
}

}  // namespace

std::string status_json(const StatusReport& report) {
    const Status& status = report.status;
    Json json{{"version", status.version},
              {"pid", status.pid},
              {"up_seconds", std::chrono::floor<seconds>(status.up).count()},
              {"health", to_string(report.health)},
              {"findings", Json::array()},
              {"ready", status.unready_because.empty()},
              {"unready_because", status.unready_because},
              {"draining", status.is_draining},
              {"messages",
               {{"accepted", status.messages.accepted},
                {"tempfail", status.messages.tempfail},
                {"permfail", status.messages.permfail},
                {"aborted", status.messages.aborted}}},
              {"configuration",
               {{"file", status.configuration.file},
                {"hash", status.configuration.hash},
                {"loaded_timestamp_seconds", epoch(status.configuration.loaded)},
                {"last_error", status.configuration.last_error}}},
              {"limit_store", {{"type", status.limit_store}, {"up", status.limit_store_is_up}}}};
    for (const Finding& one : report.findings) {
        json["findings"].push_back(
            {{"severity", one.is_broken ? "broken" : "warning"}, {"whose", one.whose}, {"what", one.what}});
    }
    write_tables(status, json);
    constexpr int kIndent = 2;
    return json.dump(kIndent, ' ', false, Json::error_handler_t::replace) + '\n';
}

Result<StatusReport> parse_status(std::string_view json) {
    try {
        const Json parsed = Json::parse(json);
        if (!parsed.is_object()) return fail("the answer is no status of Gatepost");
        return read(parsed);
    } catch (const Json::exception& error) {
        return fail("the answer is no status of Gatepost: " + std::string(error.what()));
    }
}

}  // namespace gatepost::server

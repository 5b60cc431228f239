#include "proxy/server/auxprop_backend.h"

#include <algorithm>
#include <array>
#include <utility>

#include "auth/cyrus/auxprop_lookup.h"
#include "auth/cyrus/plugins.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

std::string plugin_of(const conf::SaslBackend& sasl) {
    switch (sasl.auxprop_plugin) {
        case conf::AuxpropPlugin::Sasldb: return "sasldb";
        case conf::AuxpropPlugin::Sql: return "sql";
        case conf::AuxpropPlugin::Ldapdb: return "ldapdb";
    }
    return {};
}

/// What the look-ups themselves rest on.
constexpr std::array<std::string_view, 6> kOurOwn{"auxprop_plugin",    "pwcheck_method", "mech_list",
                                                  "canon_user_plugin", "log_level",      "auto_transition"};

constexpr std::array<std::string_view, 3> kEngines{"mysql", "pgsql", "sqlite3"};

}  // namespace

std::vector<AuxpropProblem> auxprop_problems(const conf::SaslBackend& sasl) {
    std::vector<AuxpropProblem> problems;
    const std::string plugin = plugin_of(sasl);
    if (!auth::has_auxprop_file(plugin))
        problems.push_back({"auxprop_plugin", "Cyrus SASL has no plugin " + plugin + ": install " +
                                                  std::string(auth::package_of_auxprop(plugin))});
    for (const auto& [option, value] : sasl.options) {
        if (std::ranges::find(kOurOwn, option) != kOurOwn.end())
            problems.push_back({"options." + option, "is Gatepost's own to set"});
    }
    const auto has = [&sasl](const std::string& option) {
        const auto found = sasl.options.find(option);
        return found != sasl.options.end() && !found->second.empty();
    };
    if (plugin == "sql" && !has("sql_select") && !has("sql_statement"))
        problems.push_back({"options", "sql needs sql_select, the statement that finds %p of the user %u"});
    if (const auto engine = sasl.options.find("sql_engine");
        plugin == "sql" && engine != sasl.options.end() &&
        std::ranges::find(kEngines, engine->second) == kEngines.end())
        problems.push_back({"options.sql_engine", "is none of mysql, pgsql, sqlite3"});
    if (plugin == "ldapdb" && !has("ldapdb_uri"))
        problems.push_back({"options", "ldapdb needs ldapdb_uri, the address of the LDAP server"});
    return problems;
}

std::vector<std::string> auxprop_notes(const std::string& name, const conf::SaslBackend& sasl) {
    if (auth::tells_realms_apart(auxprop_settings(sasl, ""))) return {};
    return {"backends." + name +
            ": the SQL statement has no %r, so names with an @ are unknown to it: only before the @ it would "
            "look"};
}

auth::AuxpropSettings auxprop_settings(const conf::SaslBackend& sasl, const std::string& hostname) {
    return {.plugin = plugin_of(sasl), .options = sasl.options, .realm = sasl.realm, .hostname = hostname};
}

void AuxpropLog::answered(const std::string& complaint) {
    if (complaint.empty() == std::exchange(answers_, complaint.empty())) return;
    if (answers_) {
        log_.log(LogEvent::backend_up, {{LogField::backend, name_}});
    } else {
        log_.log(LogEvent::backend_down, {{LogField::backend, name_}, {LogField::what, complaint}});
    }
}

void AuxpropLog::lost(std::size_t threads, bool is_open) {
    if (threads != 0 && !std::exchange(has_lost_, true)) {
        log_.log(LogEvent::backend_stuck,
                 {{LogField::backend, name_},
                  {LogField::what, "a look-up has not returned; its thread is replaced"}});
    }
    if (is_open != std::exchange(is_open_, is_open)) {
        const std::string what = is_open ? std::to_string(threads) + " look-ups have not returned"
                                         : "a look-up has returned; it is asked again";
        log_.log(LogEvent::backend_breaker, is_open ? conf::LogLevel::Warning : conf::LogLevel::Info,
                 {{LogField::backend, name_},
                  {LogField::reason, is_open ? "open" : "closed"},
                  {LogField::what, what}});
    }
    if (threads == 0 && std::exchange(has_lost_, false)) {
        log_.log(LogEvent::backend_stuck, conf::LogLevel::Info,
                 {{LogField::backend, name_}, {LogField::what, "all look-ups have returned"}});
    }
}

AuxpropBackend::AuxpropBackend(const std::string& name, const conf::SaslBackend& sasl,
                               const std::string& hostname, observe::LogSink& log)
    : mechanisms_(sasl.mechanisms),
      changes_(log, name),
      store_(std::make_shared<auth::BlockingStore>(
          std::make_shared<auth::AuxpropLookup>(auxprop_settings(sasl, hostname)),
          auth::BlockingStore::Settings{}, changes_)) {}

bool AuxpropBackend::serves(const std::string& mechanism) const {
    return std::ranges::find(mechanisms_, mechanism) != mechanisms_.end();
}

}  // namespace gatepost::server

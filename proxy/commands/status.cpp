#include "proxy/commands/status.h"

#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/commands/table.h"
#include "proxy/policy/limit_report.h"
#include "proxy/server/status_json.h"

namespace gatepost::commands {
namespace {

using server::Health;
using server::Status;

constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
constexpr std::string_view kGreen = "\x1b[1;32m";
constexpr std::string_view kPlain = "\x1b[0m";

class Painter {
  public:
    explicit Painter(bool has_colours) : has_colours_(has_colours) {}
    [[nodiscard]] std::string operator()(std::string_view colour, std::string_view text) const {
        if (!has_colours_) return std::string(text);
        return std::string(colour).append(text).append(kPlain);
    }

  private:
    bool has_colours_;
};

std::string_view colour_of(Health health) {
    switch (health) {
        case Health::kFlows: return kGreen;
        case Health::kSuffers: return kYellow;
        case Health::kStopped: return kRed;
    }
    return kPlain;
}

std::string number(std::uint64_t count) {
    return std::to_string(count);
}

std::string counted(std::uint64_t count, std::string_view what) {
    return number(count).append(" ").append(what);
}

/// Nothing for nothing: a table without rows says nothing to anybody.
void show(Table table, std::ostream& out) {
    if (table.rows.empty()) return;
    for (auto& row : table.rows) {
        for (std::string& cell : row) cell = printable(cell);
    }
    out << '\n';
    print(table, out);
}

void show_findings(const server::StatusReport& report, const Painter& paint, std::ostream& out) {
    std::size_t widest = 0;
    for (const server::Finding& one : report.findings) widest = std::max(widest, one.whose.size());
    for (const server::Finding& one : report.findings) {
        std::string whose = printable(one.whose);
        whose.resize(std::max(widest, whose.size()), ' ');
        out << "  " << (one.is_broken ? paint(kRed, "BROKEN ") : paint(kYellow, "warning")) << "  " << whose
            << "  " << printable(one.what) << '\n';
    }
}

void show_summary(const Status& status, std::ostream& out) {
    std::uint64_t sessions = 0;
    for (const auto& listener : status.listeners) sessions += listener.connections;
    const Status::Messages& sum = status.messages;
    out << "\nsessions now      " << sessions << "\nmessages          " << counted(sum.accepted, "accepted, ")
        << counted(sum.tempfail, "refused for now, ") << counted(sum.permfail, "refused, ")
        << counted(sum.aborted, "aborted") << "\nconfiguration     " << printable(status.configuration.file)
        << " (" << printable(status.configuration.hash) << "), loaded "
        << server::utc_text(status.configuration.loaded) << '\n';
}

Table upstreams_of(const Status& status) {
    Table table{.columns = {"UPSTREAM", "SERVER", "STATE", "ACTIVE", "IDLE", "WAITING"}, .rows = {}};
    for (const auto& upstream : status.upstreams) {
        for (const auto& server : upstream.servers) {
            table.rows.push_back({upstream.name, server.name, server.is_up ? "up" : "DOWN",
                                  number(server.active), number(server.idle), number(upstream.waiting)});
        }
    }
    return table;
}

void show_tables(const Status& status, std::ostream& out) {
    Table listeners{.columns = {"LISTENER", "ADDRESS", "TLS", "CONNECTIONS", "AT MOST"}, .rows = {}};
    for (const auto& one : status.listeners)
        listeners.rows.push_back({one.name, one.address, one.tls, number(one.connections), number(one.most)});
    show(std::move(listeners), out);
    show(upstreams_of(status), out);
    Table backends{.columns = {"BACKEND", "TYPE", "CONNECTIONS", "ANSWERED", "FAILED"}, .rows = {}};
    for (const auto& one : status.backends) {
        backends.rows.push_back({one.name, one.type, one.type == "redis" ? number(one.connections) : "-",
                                 number(one.answered), number(one.failed)});
    }
    show(std::move(backends), out);
    Table limits{.columns = {"LIMIT", "ALLOWED", "REFUSED"}, .rows = {}};
    for (const auto& one : status.limits)
        limits.rows.push_back({one.name, number(one.allowed), number(one.refused)});
    show(std::move(limits), out);
    Table certificates{.columns = {"CERTIFICATE", "EXPIRES"}, .rows = {}};
    for (const auto& one : status.certificates)
        certificates.rows.push_back({one.file, server::utc_text(one.expires)});
    show(std::move(certificates), out);
}

}  // namespace

void print_status(const server::StatusReport& report, bool has_colours, std::ostream& out) {
    const Painter paint(has_colours);
    const Status& status = report.status;
    out << paint(colour_of(report.health), server::headline(report)) << "    Gatepost "
        << printable(status.version) << ", process " << status.pid << ", up "
        << policy::duration_text(status.up) << '\n';
    show_findings(report, paint, out);
    show_summary(status, out);
    show_tables(status, out);
}

int status(const StatusQuery& query, std::ostream& out, std::ostream& err) {
    const auto answer = ask_status(query.target, err);
    if (!answer) return answer.error();
    const Result<server::StatusReport> report = server::parse_status(*answer);
    if (!report) {
        err << "gatepost status: " << report.error().message << '\n';
        return kCannotReach;
    }
    if (query.is_json) {
        out << *answer;
    } else {
        print_status(*report, query.has_colours, out);
    }
    return report->status.unready_because.empty() ? 0 : kRefusedThere;
}

}  // namespace gatepost::commands

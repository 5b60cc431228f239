#include "proxy/server/status_page.h"

#include <chrono>
#include <initializer_list>
#include <string_view>

#include "proxy/policy/limit_report.h"

namespace gatepost::server {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>Gatepost</title><style>
body{font:15px/1.45 system-ui,sans-serif;margin:1.5em;color:#1c2227}
h1{padding:.4em .6em;border-radius:4px;font-size:1.3em}h2{font-size:1em;margin:1.4em 0 .3em}
table{border-collapse:collapse}th,td{padding:.15em .8em .15em 0;text-align:left;border-bottom:1px solid #dde3e8}
.n{text-align:right}.flows,.up{background:#d9f2df}.suffers,.warning{background:#fdf0c4}.stopped,.broken,.down{background:#f8d3d0}
</style></head><body>
)";

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += c; break;
        }
    }
    return safe;
}

/// A cell of a table. `style` is one of ours.
struct Cell {
    // NOLINTBEGIN(google-explicit-constructor): rows should read as the lists that they are
    Cell(std::string_view shown, std::string_view style_of = "") : text(shown), style(style_of) {}
    Cell(const std::string& shown) : Cell(std::string_view(shown)) {}
    Cell(const char* shown) : Cell(std::string_view(shown)) {}
    Cell(std::uint64_t number) : text(std::to_string(number)), style("n") {}
    // NOLINTEND(google-explicit-constructor)
    std::string text;
    std::string_view style;
};

void open_table(std::string& page, std::string_view title, std::initializer_list<std::string_view> columns) {
    page.append("<h2>").append(title).append("</h2>\n<table><tr>");
    for (const std::string_view column : columns) page.append("<th>").append(column).append("</th>");
    page += "</tr>\n";
}

void row(std::string& page, std::initializer_list<Cell> cells) {
    page += "<tr>";
    for (const Cell& cell : cells) {
        page += cell.style.empty() ? "<td>" : "<td class=\"" + std::string(cell.style) + "\">";
        page.append(escaped(cell.text)).append("</td>");
    }
    page += "</tr>\n";
}

constexpr std::string_view kTableEnd = "</table>\n";

void show_findings(const StatusReport& report, std::string& page) {
    page.append("<h1 class=\"").append(to_string(report.health)).append("\">Gatepost: ");
    page.append(headline(report)).append("</h1>\n");
    if (report.findings.empty()) return;
    open_table(page, "What to look at", {"", "whose", "what"});
    for (const Finding& one : report.findings) {
        const std::string_view severity = one.is_broken ? "broken" : "warning";
        row(page, {{severity, severity}, one.whose, one.what});
    }
    page += kTableEnd;
}

void show_servers(const Status& status, std::string& page) {
    open_table(page, "Upstreams", {"upstream", "server", "state", "active", "idle", "waiting"});
    for (const auto& upstream : status.upstreams) {
        for (const auto& server : upstream.servers) {
            const std::string_view state = server.is_up ? "up" : "down";
            row(page,
                {upstream.name, server.name, {state, state}, server.active, server.idle, upstream.waiting});
        }
    }
    page += kTableEnd;
}

void show_tables(const Status& status, std::string& page) {
    open_table(page, "Messages since the start", {"accepted", "refused for now", "refused", "aborted"});
    row(page, {status.messages.accepted, status.messages.tempfail, status.messages.permfail,
               status.messages.aborted});
    page += kTableEnd;
    open_table(page, "Listeners", {"listener", "address", "tls", "connections", "at most"});
    for (const auto& one : status.listeners)
        row(page, {one.name, one.address, one.tls, one.connections, one.most});
    page += kTableEnd;
    show_servers(status, page);
    open_table(page, "Credential backends", {"backend", "type", "connections", "answered", "failed"});
    for (const auto& one : status.backends)
        row(page, {one.name, one.type, one.connections, one.answered, one.failed});
    page += kTableEnd;
    open_table(page, "Limits, counted in " + escaped(status.limit_store), {"limit", "allowed", "refused"});
    for (const auto& one : status.limits) row(page, {one.name, one.allowed, one.refused});
    page += kTableEnd;
    open_table(page, "Certificates", {"file", "expires"});
    for (const auto& one : status.certificates) row(page, {one.file, utc_text(one.expires)});
    page += kTableEnd;
}

}  // namespace

std::string status_page(const StatusReport& report) {
    const Status& status = report.status;
    std::string page(kHead);
    show_findings(report, page);
    show_tables(status, page);
    page += "<p>Gatepost " + escaped(status.version) + ", process " + std::to_string(status.pid) + ", up " +
            policy::duration_text(status.up) + ". Configuration " + escaped(status.configuration.file) +
            " (" + escaped(status.configuration.hash) + "), loaded " + utc_text(status.configuration.loaded) +
            ". The same for programs: <a href=\"/status.json\">/status.json</a></p>\n</body></html>\n";
    return page;
}

}  // namespace gatepost::server

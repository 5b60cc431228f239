#include "proxy/commands/limits.h"

#include <expected>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "proxy/commands/table.h"
#include "proxy/server/limits_commands.h"

namespace gatepost::commands {
namespace {

/// The lines of the answer, or the exit status, said on `err`.
std::expected<std::vector<std::string>, int> ask(const LimitsQuery& query, std::vector<std::string> words,
                                                 std::ostream& err) {
    words.insert(words.begin(), "limits");
    const auto answer = ask_running(query.target, words, err);
    if (!answer) return std::unexpected(answer.error());
    return lines_of(*answer);
}

/// "defer for 42 s"; of sessions it is not known when one leaves.
std::string refusal_text(const std::string& refused, const std::string& retry_after) {
    if (refused == "-" || retry_after == "-") return refused;
    const std::string what = refused == "dry-run" ? "no (dry run): would be" : refused;
    return retry_after == "0" ? what + " until one leaves" : what + " for " + readable_seconds(retry_after);
}

/// The columns of the answer as people read them.
std::vector<std::string> readable_row(const std::vector<std::string>& row) {
    return {row[0],
            row[1],
            row[2],
            row[3],
            refusal_text(row[4], row[5]),
            row[6] == "0" ? "-" : readable_seconds(row[6])};
}

void print_json_rows(const Table& table, std::ostream& out) {
    out << '[';
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        std::vector<std::pair<std::string, std::string>> members;
        for (std::size_t column = 0; column < table.columns.size(); ++column)
            members.emplace_back(table.columns[column], table.rows[i][column]);
        out << (i == 0 ? "\n  " : ",\n  ") << json_object(members);
    }
    out << "\n]\n";
}

using Run = int (*)(const LimitsQuery&, std::ostream&, std::ostream&);

void add(CLI::App& limits, const std::string& name, const std::string& what, bool needs_key, bool has_json,
         int& status, Run run) {
    CLI::App* const command = limits.add_subcommand(name, what);
    const auto query = std::make_shared<LimitsQuery>();
    AdminTarget& target = query->target;
    target.config = "/etc/gatepost/gatepost.yaml";
    command->add_option("--config", target.config, "its configuration file, for admin.socket")
        ->capture_default_str();
    command->add_option("--admin", target.admin, "where it is asked instead: unix:/path of its admin.socket");
    command
        ->add_option(
            needs_key ? "KEY" : "PREFIX", query->key,
            needs_key ? "as `limits list` shows it" : "only keys that begin so: limit:NAME: or guess:")
        ->required(needs_key);
    if (has_json) command->add_flag("--json", query->is_json, "for programs");
    command->callback([query, &status, run] { status = run(*query, std::cout, std::cerr); });
}

}  // namespace

int limits_list(const LimitsQuery& query, std::ostream& out, std::ostream& err) {
    const auto lines = ask(query, {"list", query.key}, err);
    if (!lines) return lines.error();
    Table table{.columns = split_tabs(server::kLimitColumns), .rows = {}};
    bool has_more = false;
    for (std::size_t i = 1; i < lines->size(); ++i) {
        has_more = has_more || (*lines)[i] == server::kMoreLimits;
        if (auto row = split_tabs((*lines)[i]); row.size() == table.columns.size())
            table.rows.push_back(std::move(row));
    }
    if (has_more) err << "gatepost limits: there are more keys than these; name a PREFIX\n";
    if (query.is_json) {
        print_json_rows(table, out);
        return 0;
    }
    if (table.rows.empty()) {
        out << "nothing is counted" << (query.key.empty() ? "" : " under keys that begin so") << '\n';
        return 0;
    }
    for (auto& row : table.rows) row = readable_row(row);
    table.columns = {"KEY", "COUNT", "USED", "OF", "REFUSED NOW", "WORN OFF IN"};
    print(table, out);
    return 0;
}

int limits_show(const LimitsQuery& query, std::ostream& out, std::ostream& err) {
    const auto lines = ask(query, {"show", query.key}, err);
    if (!lines) return lines.error();
    std::vector<std::pair<std::string, std::string>> members;
    for (const std::string& line : *lines) {
        const auto parts = split_tabs(line);
        if (parts.size() == 2) members.emplace_back(parts[0], parts[1]);
    }
    if (query.is_json) {
        out << json_object(members) << '\n';
        return 0;
    }
    constexpr std::size_t kNameWidth = 13;
    for (const auto& [name, value] : members) {
        const bool is_time = name == "retry_after" || name == "worn_off_in";
        std::string label = name;
        label.resize(kNameWidth, ' ');
        out << label << (is_time ? readable_seconds(value) : value) << '\n';
    }
    return 0;
}

int limits_reset(const LimitsQuery& query, std::ostream& out, std::ostream& err) {
    const auto lines = ask(query, {"reset", query.key}, err);
    if (!lines) return lines.error();
    for (const std::string& line : *lines) out << line << '\n';
    return 0;
}

void add_limits_commands(CLI::App& app, int& status) {
    CLI::App* const limits =
        app.add_subcommand("limits", "what the running Gatepost counts, and forgetting it");
    limits->require_subcommand(1);
    add(*limits, "list", "keys, the most used first", false, true, status, limits_list);
    add(*limits, "show", "one key: its rule, rate and state", true, true, status, limits_show);
    add(*limits, "reset", "forget what was counted under a key", true, false, status, limits_reset);
}

}  // namespace gatepost::commands

#include "proxy/commands/operate.h"

#include <utility>

#include "proxy/commands/table.h"
#include "proxy/server/bans_commands.h"
#include "proxy/server/session_list.h"

namespace gatepost::commands {
namespace {

int pass_on(const AdminTarget& target, const std::vector<std::string>& words, std::ostream& out,
            std::ostream& err, Duration patience = kPatience) {
    const auto answer = ask_running(target, words, err, patience);
    if (!answer) return answer.error();
    out << *answer;
    return 0;
}

int pass_on_waiting(const AdminTarget& target, const std::string& command, bool waits, std::ostream& out,
                    std::ostream& err) {
    if (!waits) return pass_on(target, {command}, out, err);
    return pass_on(target, {command, "wait"}, out, err, kForEver);
}

/// The rows behind the first line. `has_more`: a last line says that there are more.
Table table_from(const std::string& answer, std::string_view columns, bool& has_more) {
    Table table{.columns = split_tabs(columns), .rows = {}};
    const std::vector<std::string> lines = lines_of(answer);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        auto row = split_tabs(lines[i]);
        has_more = has_more || row.size() == 1;
        if (row.size() == table.columns.size()) table.rows.push_back(std::move(row));
    }
    return table;
}

constexpr std::size_t kAge = 8;
constexpr std::size_t kSent = 11;

/// Names stay text, also where they look like numbers.
void print_json(const Table& sessions, std::ostream& out) {
    std::string_view separator = "[\n  ";
    for (const std::vector<std::string>& row : sessions.rows) {
        out << std::exchange(separator, ",\n  ") << '{';
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool is_text = (i < kAge || i > kSent) && row[i] != "-";
            out << (i == 0 ? "" : ", ") << json_string(sessions.columns[i]) << ": "
                << (is_text ? json_string(row[i]) : json_value(row[i]));
        }
        out << '}';
    }
    out << (sessions.rows.empty() ? "[]\n" : "\n]\n");
}

}  // namespace

std::vector<std::string> Whom::words() const {
    std::vector<std::string> words;
    for (const auto& [name, value] : {std::pair("session=", &session), std::pair("user=", &user),
                                      std::pair("ip=", &ip), std::pair("listener=", &listener)}) {
        if (!value->empty()) words.push_back(name + *value);
    }
    return words;
}

int who(const AdminTarget& target, const Whom& whom, bool is_json, std::ostream& out, std::ostream& err) {
    std::vector<std::string> words = whom.words();
    words.insert(words.begin(), "who");
    const auto answer = ask_running(target, words, err);
    if (!answer) return answer.error();
    bool has_more = false;
    Table table = table_from(*answer, server::kSessionColumns, has_more);
    if (has_more) err << "gatepost who: there are more sessions than these; filter them\n";
    if (is_json) {
        print_json(table, out);
        return 0;
    }
    if (table.rows.empty()) {
        out << "no session" << (words.size() > 1 ? " is like that" : " is open") << '\n';
        return 0;
    }
    for (auto& row : table.rows) {
        row.resize(kSent + 1);
        row[kAge] = readable_seconds(row[kAge]);
    }
    table.columns = {"SESSION", "LISTENER", "IP",  "USER",     "HELO",     "TLS",
                     "PHASE",   "UPSTREAM", "AGE", "MESSAGES", "RECEIVED", "SENT"};
    print(table, out);
    return 0;
}

int kick(const AdminTarget& target, const Whom& whom, std::ostream& out, std::ostream& err) {
    std::vector<std::string> words = whom.words();
    if (words.empty() != whom.is_all) {
        err << "gatepost kick: whom? Give --session, --user, --ip or --listener, all of which must fit, or "
               "--all alone\n";
        return kWrongUsage;
    }
    if (whom.is_all) words = {"all"};
    words.insert(words.begin(), "kick");
    return pass_on(target, words, out, err);
}

int drain(const AdminTarget& target, bool waits, std::ostream& out, std::ostream& err) {
    return pass_on_waiting(target, "drain", waits, out, err);
}

int reload(const AdminTarget& target, bool waits, std::ostream& out, std::ostream& err) {
    return pass_on_waiting(target, "reload", waits, out, err);
}

int bans_list(const AdminTarget& target, std::ostream& out, std::ostream& err) {
    const auto answer = ask_running(target, {"bans", "list"}, err);
    if (!answer) return answer.error();
    bool has_more = false;
    Table table = table_from(*answer, server::kBanColumns, has_more);
    if (has_more) err << "gatepost bans: more is counted than was looked at; `gatepost limits list guess:`\n";
    if (table.rows.empty()) {
        out << "nobody is refused because of wrong passwords\n";
        return 0;
    }
    for (auto& row : table.rows)
        row = {row[1], row[2], row[3] + " of " + row[4], readable_seconds(row[5]), row[0]};
    table.columns = {"SCOPE", "WHO", "FAILURES", "REFUSED FOR", "KEY"};
    print(table, out);
    return 0;
}

int bans_lift(const AdminTarget& target, const std::string& key, std::ostream& out, std::ostream& err) {
    return pass_on(target, {"bans", "lift", key}, out, err);
}

int log_level(const AdminTarget& target, const std::string& level, std::ostream& out, std::ostream& err) {
    return pass_on(target, {"log", "level", level}, out, err);
}

}  // namespace gatepost::commands

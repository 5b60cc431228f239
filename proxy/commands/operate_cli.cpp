#include "proxy/commands/operate_cli.h"

#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "conf/environment.h"
#include "proxy/commands/operate.h"
#include "proxy/commands/status.h"

namespace gatepost::commands {
namespace {

struct Asked {
    AdminTarget target{.config = "/etc/gatepost/gatepost.yaml", .admin = {}};
    Whom whom;
    std::string word;
    std::string key;
    bool is_set = false;
};

using Run = int (*)(const Asked& asked);
using Options = void (*)(CLI::App& command, Asked& asked);

CLI::App* add(CLI::App& app, const std::string& name, const std::string& what, int& status, Run run,
              Options options = nullptr) {
    CLI::App* const command = app.add_subcommand(name, what);
    const auto asked = std::make_shared<Asked>();
    AdminTarget& target = asked->target;
    command->add_option("--config", target.config, "its configuration file, for admin.socket")
        ->capture_default_str();
    command->add_option("--admin", target.admin, "where it is asked instead: unix:/path of its admin.socket");
    if (options != nullptr) options(*command, *asked);
    command->callback([asked, &status, run] { status = run(*asked); });
    return command;
}

void add_filter(CLI::App& command, Asked& asked) {
    command.add_option("--session", asked.whom.session, "id, as the log and `who` show it");
    command.add_option("--user", asked.whom.user, "who logged in, as `who` shows it");
    command.add_option("--ip", asked.whom.ip, "address of the client, or a network: 192.0.2.0/24");
    command.add_option("--listener", asked.whom.listener, "name of the listener");
}

void add_all(CLI::App& command, Asked& asked) {
    add_filter(command, asked);
    command.add_flag("--all", asked.whom.is_all, "every session");
}

void add_wait(CLI::App& command, Asked& asked) {
    command.add_flag("--wait", asked.is_set, "return when it is done, not when it is asked for");
}

int run_bans(const Asked& asked) {
    const bool lifts = asked.word == "lift";
    if (lifts == asked.key.empty()) {
        std::cerr << "gatepost bans: expected bans list, or bans lift KEY\n";
        return kWrongUsage;
    }
    return lifts ? bans_lift(asked.target, asked.key, std::cout, std::cerr)
                 : bans_list(asked.target, std::cout, std::cerr);
}

void add_bans(CLI::App& command, Asked& asked) {
    command.add_option("ACTION", asked.word, "list, or lift to forget the failures under KEY")
        ->check(CLI::IsMember({"list", "lift"}));
    command.add_option("KEY", asked.key, "as `bans list` shows it");
}

void add_log(CLI::App& app, int& status) {
    CLI::App* const log = app.add_subcommand("log", "what the running Gatepost logs");
    log->require_subcommand(1);
    add(
        *log, "level", "the least that is logged, until the configuration is read again", status,
        [](const Asked& asked) { return log_level(asked.target, asked.word, std::cout, std::cerr); },
        [](CLI::App& command, Asked& asked) {
            command.add_option("LEVEL", asked.word, "debug, info, warning or error")
                ->required()
                ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
        });
}

int show_status(const Asked& asked) {
    const bool has_colours = ::isatty(STDOUT_FILENO) != 0 && !conf::process_environment()("NO_COLOR");
    return status({.target = asked.target, .is_json = asked.is_set, .has_colours = has_colours}, std::cout,
                  std::cerr);
}

}  // namespace

void add_operate_commands(CLI::App& app, int& status) {
    CLI::App* const shown = add(
        app, "status", "does mail flow, and whose fault is it when not", status, show_status,
        [](CLI::App& command, Asked& asked) { command.add_flag("--json", asked.is_set, "for programs"); });
    shown->get_option("--admin")->description(
        "where it is asked instead: unix:/path, or HOST:PORT of admin.address");
    shown->footer("Exit status: 0 it serves, 1 it is not ready, 3 nobody answers.");
    add(
        app, "who", "sessions now", status,
        [](const Asked& asked) { return who(asked.target, asked.whom, asked.is_set, std::cout, std::cerr); },
        [](CLI::App& command, Asked& asked) {
            add_filter(command, asked);
            command.add_flag("--json", asked.is_set, "for programs");
        });
    add(
        app, "kick", "end sessions; a message whose answer is awaited is waited for", status,
        [](const Asked& asked) { return kick(asked.target, asked.whom, std::cout, std::cerr); }, add_all);
    add(
        app, "drain", "as SIGTERM: serve no new sessions, let those there finish, and end", status,
        [](const Asked& asked) { return drain(asked.target, asked.is_set, std::cout, std::cerr); }, add_wait);
    add(
        app, "reload", "read the configuration again", status,
        [](const Asked& asked) { return reload(asked.target, asked.is_set, std::cout, std::cerr); },
        add_wait);
    add(app, "bans", "who is refused because of too many wrong passwords", status, run_bans, add_bans);
    add_log(app, status);
}

}  // namespace gatepost::commands

#include "proxy/commands/user_cli.h"

#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "proxy/base/printable.h"
#include "proxy/commands/login_trial.h"
#include "proxy/commands/user.h"
#include "proxy/commands/user_backend.h"
#include "proxy/commands/user_import.h"

namespace gatepost::commands {
namespace {

struct Place {
    std::string config = "/etc/gatepost/gatepost.yaml";
    std::string backend;
    std::string user;
};

struct SetOptions {
    std::string scheme;
    std::string senders;
    std::string limit_class;
    std::string upstream;
    bool is_disabled = false;
    bool is_enabled = false;
    bool keeps_password = false;
    std::vector<std::string> unset;
};

using Run = std::function<int(const OpenedUsers&, const std::string& user)>;

/// One of `gatepost user …`: `run` gets the directory that --config and --backend name.
CLI::App* add(CLI::App& user, const std::string& name, const std::string& what, bool takes_name, int& status,
              Run run) {
    CLI::App* const command = user.add_subcommand(name, what);
    const auto place = std::make_shared<Place>();
    command->add_option("--config", place->config, "configuration file")->capture_default_str();
    command->add_option("--backend", place->backend,
                        "key under `backends:`, of type file or redis; need not be given when there is one");
    if (takes_name) command->add_option("NAME", place->user, "user name")->required();
    command->callback([place, &status, run = std::move(run)] {
        const auto opened = open_users(place->config, place->backend, std::cerr);
        status = opened ? run(*opened, place->user) : opened.error();
    });
    return command;
}

/// What the options say; nothing, after saying why, when they contradict each other.
std::optional<UserSettings> settings_of(const SetOptions& options, const conf::Config& config) {
    UserSettings settings{
        .scheme = options.scheme, .attributes = {}, .keeps_password = options.keeps_password};
    for (const std::string& spelled : options.unset) {
        const auto attribute = attribute_name(spelled);
        if (!attribute) {
            std::cerr << "gatepost user set: no attribute " << printable(spelled, 64)
                      << "; there are senders, limit_class, upstream and disabled\n";
            return std::nullopt;
        }
        settings.attributes[*attribute] = std::nullopt;
    }
    if (options.is_enabled) settings.attributes["disabled"] = std::nullopt;
    if (options.is_disabled) settings.attributes["disabled"] = "yes";
    if (!options.senders.empty()) settings.attributes["senders"] = options.senders;
    if (!options.limit_class.empty()) settings.attributes["limit_class"] = options.limit_class;
    if (options.upstream.empty()) return settings;
    settings.attributes["upstream"] = options.upstream;
    bool is_known = false;
    for (const conf::Upstream& upstream : config.upstreams) is_known |= upstream.name == options.upstream;
    // Other replicas may have another configuration, so it is no error.
    if (!is_known)
        std::cerr << "gatepost user set: note: " << printable(config.file) << " has no upstream "
                  << printable(options.upstream) << '\n';
    return settings;
}

void add_set(CLI::App& user, int& status) {
    const auto options = std::make_shared<SetOptions>();
    CLI::App* const set = add(
        user, "set", "make a user, or change the password (from a prompt or standard input) or attributes",
        true, status, [options](const OpenedUsers& opened, const std::string& name) {
            const std::optional<UserSettings> settings = settings_of(*options, *opened.config);
            if (!settings) return 2;
            return user_set(*opened.users, name, *settings, STDIN_FILENO, std::cout, std::cerr);
        });
    set->add_option("--scheme", options->scheme, "how the password is stored; SCRAM-SHA-256 if not given");
    set->add_option("--senders", options->senders,
                    "addresses that may be in MAIL FROM: PATTERN[,PATTERN...], such as '*@example.org'");
    set->add_option("--limit-class", options->limit_class, "class of the limits");
    set->add_option("--upstream", options->upstream, "name of the upstream that gets this user's mail");
    CLI::Option* const disabled =
        set->add_flag("--disabled", options->is_disabled, "may not log in until --enabled");
    set->add_flag("--enabled", options->is_enabled, "may log in again")->excludes(disabled);
    set->add_option("--unset", options->unset, "take an attribute out: senders, limit-class, upstream")
        ->delimiter(',')
        ->allow_extra_args(false);
    set->add_flag("--keep-password", options->keeps_password,
                  "change attributes of an existing user, neither ask for a password nor read one")
        ->excludes("--scheme");
    set->footer(
        "For a user who is there, with attributes and without --scheme: a terminal is not asked for a "
        "password,\n"
        "and empty standard input keeps the one there is. NAME alone always sets a password.");
}

void add_import(CLI::App& user, int& status) {
    const auto settings = std::make_shared<ImportSettings>();
    const auto file = std::make_shared<std::string>();
    CLI::App* const import =
        add(user, "import", "take over the users of another program", false, status,
            [settings, file](const OpenedUsers& opened, const std::string&) {
                return user_import(*opened.users, *settings, *file, STDIN_FILENO, std::cout, std::cerr);
            });
    import
        ->add_option("--format", settings->format,
                     "dovecot (passwd-file), htpasswd, or sasldb (what `db_dump -p /etc/sasldb2` writes)")
        ->required();
    import->add_option("FILE", *file, "what to read; - is standard input")->required();
    import->add_option(
        "--scheme", settings->scheme,
        "of passwords that stand there in clear; SCRAM-SHA-256 if not given, PLAIN keeps them");
    import->add_option("--realm", settings->realm, "of sasldb: its users are imported without @REALM");
    import->add_flag("--replace", settings->replaces,
                     "users who are there get the record of the file; their attributes stay");
    import->add_flag("--skip-bad", settings->skips_bad, "import the others when some cannot be imported");
}

}  // namespace

void add_user_commands(CLI::App& app, int& status) {
    CLI::App* const user = app.add_subcommand("user", "users of a file or Redis backend");
    user->require_subcommand(1);
    add_set(*user, status);
    add(*user, "list", "one user a line", false, status, [](const OpenedUsers& opened, const std::string&) {
        return user_list(*opened.users, std::cout, std::cerr);
    });
    add(*user, "delete", "take a user out", true, status,
        [](const OpenedUsers& opened, const std::string& name) {
            return user_delete(*opened.users, name, std::cout, std::cerr);
        });
    add(*user, "verify", "would this password be accepted?", true, status,
        [](const OpenedUsers& opened, const std::string& name) {
            return user_verify(*opened.users, name, STDIN_FILENO, std::cout, std::cerr);
        });
    add(*user, "show", "scheme and attributes of one user", true, status,
        [](const OpenedUsers& opened, const std::string& name) {
            return user_show(*opened.users, name, std::cout, std::cerr);
        });
    add_import(*user, status);
}

void add_auth_commands(CLI::App& app, int& status) {
    CLI::App* const auth = app.add_subcommand("auth", "logging in");
    auth->require_subcommand(1);
    CLI::App* const test = auth->add_subcommand(
        "test",
        "log in as a client would, and show each step; the password comes from a prompt or standard input");
    const auto options = std::make_shared<AuthTest>();
    options->config = Place().config;
    test->add_option("--config", options->config, "configuration file")->capture_default_str();
    test->add_option("--user", options->user, "user name")->required();
    test->add_option("--mechanism", options->mechanism, "PLAIN if not given");
    test->add_option("--ip", options->address, "what the rules against guessing would say to this address");
    test->footer("Exit status: 0 accepted, 1 refused, 3 a backend that must be asked cannot answer.");
    test->callback([options, &status] { status = auth_test(*options, STDIN_FILENO, std::cout, std::cerr); });
}

}  // namespace gatepost::commands

// The command line: hands over to one command, and does nothing else.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>

#include "proxy/commands/check.h"
#include "proxy/commands/explain.h"
#include "proxy/commands/hash.h"
#include "proxy/commands/limits.h"
#include "proxy/commands/metrics.h"
#include "proxy/commands/operate_cli.h"
#include "proxy/commands/serve.h"
#include "proxy/commands/user_cli.h"
#include "proxy/commands/version.h"
#include "proxy/server/deep_check.h"
#include "proxy/server/privileges.h"
#include "proxy/server/unservable.h"

namespace {

namespace commands = gatepost::commands;

constexpr int kWrongUsage = 2;
constexpr int kCannotWrite = 1;

/// OpenSSL frees and takes its buffers with every message. Given back to the system each time, each page of
/// them would be faulted in again; up to 1 MiB for each thread stays instead.
void keep_freed_memory() {
    constexpr int kKept = 1024 * 1024;
    ::mallopt(M_TRIM_THRESHOLD, kKept);
    ::mallopt(M_MMAP_THRESHOLD, kKept);
}

/// Each session takes two descriptors; the usual soft limit of 1024 would end at five hundred of them.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// What the options say.
struct Arguments {
    std::string config = "/etc/gatepost/gatepost.yaml";
    std::string scheme;
    bool dump = false;
    bool markdown = false;
    int status = 0;
};

/// A core would hold keys and passwords: ours, and those inside OpenSSL and libsasl, in buffers, on stacks
/// and in registers. So no core is written; and where one is written nevertheless (a core_pattern that is a
/// pipe does not ask for the limit, gcore neither), it holds no memory, only registers and the list of
/// mappings.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    if (std::FILE* const filter = std::fopen("/proc/self/coredump_filter", "we")) {
        std::fputs("0", filter);
        std::fclose(filter);
    }
}

void add_config(CLI::App& command, Arguments& arguments) {
    command.add_option("--config", arguments.config, "configuration file")->capture_default_str();
}

void add_serving(CLI::App& app, Arguments& arguments) {
    CLI::App* const serve = app.add_subcommand("serve", "run in the foreground; logs to standard error");
    add_config(*serve, arguments);
    serve->callback([&] { arguments.status = commands::serve(arguments.config, std::cerr); });

    CLI::App* const check = app.add_subcommand("check", "is this configuration fine?");
    add_config(*check, arguments);
    check->add_flag("--dump", arguments.dump, "print the effective configuration, secrets redacted");
    check->callback([&] {
        arguments.status = commands::check(
            arguments.config, arguments.dump, std::cout, std::cerr, gatepost::server::deep_problems,
            [](const gatepost::conf::Config& config) {
                std::vector<std::string> notes = gatepost::server::unservable_notes(config);
                std::ranges::move(gatepost::server::run_as_notes(config), std::back_inserter(notes));
                return notes;
            });
    });
}

void add_hash(CLI::App& app, Arguments& arguments) {
    CLI::App* const hash =
        app.add_subcommand("hash", "a password on standard input, its record on standard output");
    hash->add_option("--scheme", arguments.scheme, "SCRAM-SHA-256 if not given");
    hash->callback(
        [&] { arguments.status = commands::hash(arguments.scheme, STDIN_FILENO, std::cout, std::cerr); });
}

void add_about(CLI::App& app, Arguments& arguments) {
    CLI::App* const metrics = app.add_subcommand("metrics", "what is counted");
    metrics->add_flag("--markdown", arguments.markdown, "as the page docs/metrics.md")->required();
    metrics->callback([&] { arguments.status = commands::metrics_markdown(std::cout); });

    app.add_subcommand("version", "version, compiler, libraries")->callback([&] {
        arguments.status = commands::version(std::cout);
    });
}

}  // namespace

int main(int argc, char** argv) {
    forbid_core_dumps();
    keep_freed_memory();
    raise_descriptor_limit();
    Arguments arguments;
    CLI::App app("Gatepost, an SMTP authentication gateway", "gatepost");
    app.require_subcommand(1);
    add_serving(app, arguments);
    commands::add_user_commands(app, arguments.status);
    commands::add_auth_commands(app, arguments.status);
    commands::add_limits_commands(app, arguments.status);
    commands::add_operate_commands(app, arguments.status);
    commands::add_explain_command(app, arguments.status);
    add_hash(app, arguments);
    add_about(app, arguments);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kWrongUsage;
    }
    // A full disk must not look like a whole dump.
    if (!std::cout.flush() && arguments.status == 0) {
        std::cerr << "gatepost: cannot write to standard output\n";
        return kCannotWrite;
    }
    return arguments.status;
}

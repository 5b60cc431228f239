// The command line: hands over to one command, and knows nothing else.
#include <cstdlib>
#include <iostream>
#include <string>
#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include "proxy/commands/check.h"
#include "proxy/commands/metrics.h"
#include "proxy/commands/serve.h"
#include "proxy/commands/version.h"

namespace {

constexpr char kDefaultConfig[] = "/etc/gatepost/gatepost.yaml";
constexpr int kWrongUsage = 2;

/// A core would hold keys and passwords.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main(int argc, char** argv) {
    namespace commands = gatepost::commands;
    forbid_core_dumps();

    CLI::App app("Gatepost, an SMTP authentication gateway", "gatepost");
    app.require_subcommand(1);
    std::string config = kDefaultConfig;
    bool dump = false;
    bool markdown = false;
    int status = 0;

    auto* const serve = app.add_subcommand("serve", "run in the foreground; logs to standard error");
    serve->add_option("--config", config, "configuration file")->capture_default_str();
    serve->callback([&] { status = commands::serve(config, std::cerr); });

    auto* const check = app.add_subcommand("check", "is this configuration fine?");
    check->add_option("--config", config, "configuration file")->capture_default_str();
    check->add_flag("--dump", dump, "print the effective configuration, secrets redacted");
    check->callback(
        [&] { status = commands::check(config, dump, std::cout, std::cerr, commands::deep_check()); });

    auto* const metrics = app.add_subcommand("metrics", "what is counted");
    metrics->add_flag("--markdown", markdown, "as the page docs/metrics.md")->required();
    metrics->callback([&] { status = commands::metrics_markdown(std::cout); });

    app.add_subcommand("version", "version, compiler, libraries")->callback([&] {
        status = commands::version(std::cout);
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kWrongUsage;
    }
    return status;
}

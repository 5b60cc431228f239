#include "proxy/commands/explain.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "auth/dialogue/names.h"
#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/base/printable.h"
#include "proxy/commands/explain_facts.h"
#include "proxy/commands/explanation.h"
#include "proxy/commands/guessing_preview.h"
#include "proxy/server/plan.h"
#include "proxy/smtp/path.h"

namespace gatepost::commands {
namespace {

constexpr int kAccepted = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr int kCannot = 3;

/// "" when the arguments are fine.
std::string problem_of(const Explain& what, const conf::Config& config) {
    if (!what.user.empty() && !auth::is_acceptable_name(what.user))
        return "--user is no name: " + printable(what.user);
    if (!is_ip_address(what.address)) return "--ip is no IP address: " + printable(what.address, 64);
    if (!what.sender.empty() && !smtp::is_address(what.sender))
        return "--from is no address: " + printable(what.sender);
    if (!smtp::is_address(what.recipient)) return "--to is no address: " + printable(what.recipient);
    if (what.listener.empty() ||
        std::ranges::find(config.listeners, what.listener, &conf::Listener::name) != config.listeners.end())
        return "";
    std::string names;
    for (const conf::Listener& listener : config.listeners)
        names += (names.empty() ? "" : ", ") + listener.name;
    return "no listener " + printable(what.listener, 64) + "; there are " + names;
}

struct OfListener {
    std::string name;
    std::string verdict;
    bool is_accepted = false;
};

/// One line at the end, whatever was shown.
int conclude(const std::vector<OfListener>& all, std::ostream& out) {
    const bool are_all_accepted = std::ranges::all_of(all, &OfListener::is_accepted);
    const bool are_same =
        std::ranges::all_of(all, [&](const OfListener& one) { return one.verdict == all.front().verdict; });
    out << "verdict: ";
    if (are_same) {
        out << all.front().verdict << '\n';
    } else {
        out << "depends on the listener:";
        for (const OfListener& one : all)
            out << (&one == &all.front() ? " " : ", ") << (one.is_accepted ? "accepted" : "refused") << " on "
                << printable(one.name);
        out << '\n';
    }
    return are_all_accepted ? kAccepted : kRefused;
}

int walk(const Explain& what, const server::Plan& plan, const FoundUser* user, std::ostream& out) {
    RunningCounts counts(plan.config->admin.socket);
    std::vector<OfListener> all;
    for (const server::ListenerPlan& listener : plan.listeners) {
        if (!what.listener.empty() && what.listener != listener.name) continue;
        Explanation explanation(what, plan, listener, user, counts, out);
        std::string verdict = explanation.verdict();
        out << '\n';
        all.push_back({listener.name, std::move(verdict), explanation.is_accepted()});
    }
    if (!counts.unknown_because().empty())
        out << "counts are not known, and taken as none: " << counts.unknown_because() << '\n';
    return conclude(all, out);
}

}  // namespace

int explain(const Explain& asked, std::ostream& out, std::ostream& err) {
    const conf::Loaded loaded =
        conf::load(asked.config, conf::process_environment(), conf::Files::MayBeMissing);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return kRefused;
    }
    Explain what = asked;
    if (what.sender == "<>") what.sender.clear();
    if (const std::string problem = problem_of(what, **loaded); !problem.empty()) {
        err << "gatepost explain: " << problem << '\n';
        return kUsage;
    }
    const auto plan = server::make_plan(*loaded);
    if (!plan) {
        conf::print(plan.error(), err);
        return kRefused;
    }
    if (what.user.empty()) return walk(what, **plan, nullptr, out);
    const Result<FoundUser> user = find_user(*loaded, what.user);
    if (!user) {
        err << "gatepost explain: " << user.error().message << '\n';
        return kCannot;
    }
    return walk(what, **plan, &*user, out);
}

void add_explain_command(CLI::App& app, int& status) {
    CLI::App* const command =
        app.add_subcommand("explain", "what would become of a message, and by which rules; sends none");
    const auto what = std::make_shared<Explain>();
    what->config = "/etc/gatepost/gatepost.yaml";
    command->add_option("--config", what->config, "configuration file")->capture_default_str();
    command->add_option("--user", what->user, "who logs in, with the right password; nobody if not given");
    command->add_option("--ip", what->address, "address of the client")->required();
    command->add_option("--from", what->sender, "address in MAIL FROM; '<>' is the null sender")->required();
    command->add_option("--to", what->recipient, "address in RCPT TO")->required();
    command->add_option("--listener", what->listener, "name of a listener; each if not given");
    command->add_option("--size", what->size, "octets of the message, as in SIZE=");
    command->footer(
        "Exit status: 0 accepted, on every listener shown; 1 refused; 3 a backend cannot be opened.");
    command->callback([what, &status] { status = explain(*what, std::cout, std::cerr); });
}

}  // namespace gatepost::commands

#include "proxy/commands/explain_facts.h"

#include <charconv>
#include <chrono>
#include <sstream>
#include <string_view>
#include <utility>

#include "auth/check/record.h"
#include "proxy/base/printable.h"
#include "proxy/commands/own_authenticators.h"
#include "proxy/commands/table.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/timer.h"
#include "proxy/observe/admin_client.h"

namespace gatepost::commands {
namespace {

constexpr std::chrono::seconds kPatience{10};

/// Nobody is judged here.
class NoReceiver final : public auth::VerdictReceiver {
    void on_verdict(ConnectionId /*id*/, auth::Verdict /*verdict*/) override {}
};

std::string attribute(const auth::StoredCredential& credential, const std::string& name) {
    const auto found = credential.attributes.find(name);
    return found == credential.attributes.end() ? "" : found->second;
}

std::string record_text(const auth::StoredCredential& credential) {
    if (credential.record.empty()) return "without a record";
    const Result<auth::Record> record = auth::Record::parse(credential.record.reveal());
    return record ? record->describe() : "its record cannot be used: " + record.error().message;
}

/// True: the next backend is asked.
bool take(FoundUser& found, const std::string& backend, const auth::Lookup& lookup) {
    using Status = auth::Lookup::Status;
    if (lookup.status == Status::kUnknown) {
        found.told.push_back(backend + ": nobody has that name");
        return true;
    }
    if (lookup.status == Status::kUnavailable || !lookup.credential) {
        found.status = FoundUser::Status::kUnavailable;
        found.told.push_back(backend + ": cannot answer");
        return false;
    }
    const auth::StoredCredential& credential = *lookup.credential;
    found.status = FoundUser::Status::kFound;
    found.is_disabled = credential.disabled;
    found.identity = {.user = credential.user,
                      .mechanism = {},
                      .upstream = attribute(credential, "upstream"),
                      .senders = attribute(credential, "senders"),
                      .limit_class = attribute(credential, "limit_class"),
                      .backend = backend};
    std::string text = backend + ": found, " + record_text(credential);
    if (credential.disabled) text += ", disabled";
    for (const auto& [name, value] : credential.attributes) {
        if (name != "disabled") text += ", " + printable(name, 64) + " " + printable(value);
    }
    found.told.push_back(std::move(text));
    return false;
}

/// Runs `loop` until the answer is there; kUnavailable when it does not come.
auth::Lookup look_up(auth::CredentialStore& store, const std::string& user, net::EventLoop& loop) {
    const auto answer = std::make_shared<auth::Lookup>();
    net::Timer patience(loop, [&loop] { loop.stop(); });
    // The loop knows its thread, and so its time, only when it runs.
    loop.post([&] {
        patience.start(kPatience);
        store.lookup(user, loop, [answer, &loop](auth::Lookup lookup) {
            *answer = std::move(lookup);
            loop.stop();
        });
    });
    loop.run();
    return *answer;
}

std::optional<std::uint64_t> number_of(const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

policy::LimitAnswer answer_from(const std::string& text) {
    std::map<std::string, std::string> values;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto parts = split_tabs(line);
        if (parts.size() == 2) values[parts[0]] = parts[1];
    }
    const std::uint64_t used = number_of(values["used"]).value_or(0);
    const std::string& retry = values["retry_after"];
    if (retry == "-") return policy::Allow{used};
    if (retry == "never") return policy::Refused{Duration::max(), used};
    const auto seconds = number_of(retry);
    if (!seconds) return policy::Unavailable{};
    return policy::Refused{std::chrono::seconds(*seconds), used};
}

}  // namespace

Result<FoundUser> find_user(const std::shared_ptr<const conf::Config>& config, const std::string& user) {
    OwnAuthenticators own(config, conf::LogLevel::Error);
    const std::vector<std::string> problems = own.start();
    if (!problems.empty()) return fail(problems.front());
    NoReceiver nobody;
    std::vector<auth::NamedStore> stores;
    const auto verifier =
        own.authenticators.make_verifier(own.loop, nobody, own.registry, own.registry.add_worker(), nullptr,
                                         [&stores](auth::StoreVerifier::Parts parts) {
                                             stores = parts.stores;
                                             return parts;
                                         });
    FoundUser found;
    for (const auth::NamedStore& named : stores) {
        const std::string name = printable(named.name, 64);
        if (named.service) {
            found.status = FoundUser::Status::kJudgedElsewhere;
            found.identity = {.user = user, .mechanism = {}, .backend = name};
            found.told.push_back(name + ": not asked, it says nothing without the password; taken as his");
            break;
        }
        if (!take(found, name, look_up(*named.store, user, own.loop))) break;
    }
    own.authenticators.stop_pool();
    return found;
}

RunningCounts::RunningCounts(std::string socket) : socket_(std::move(socket)) {
    if (!socket_.empty()) return;
    is_reachable_ = false;
    unknown_because_ = "no admin.socket is configured, at which the running Gatepost could be asked";
}

policy::LimitAnswer RunningCounts::ask(const policy::LimitQuestion& question, const std::string& user_class) {
    if (!is_reachable_) return policy::Unavailable{};
    const auto answer = observe::ask_admin(
        socket_, {"limits", "peek", question.key.text, user_class, std::to_string(question.events)},
        kPatience);
    if (answer) return answer_from(*answer);
    unknown_because_ = answer.error().message;
    is_reachable_ = answer.error().kind == observe::AdminFailure::Kind::kRefused;
    return policy::Unavailable{};
}

}  // namespace gatepost::commands

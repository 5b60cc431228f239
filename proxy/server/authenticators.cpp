#include "proxy/server/authenticators.h"

#include <utility>
#include <variant>

#include "proxy/server/cpus.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

/// How soon a changed users file is noticed.
constexpr std::chrono::seconds kLookEvery{1};

void tell(observe::LogSink& log, const std::string& name, const backends::FileStore& store,
          const std::expected<backends::FileStore::Change, backends::UsersFileError>& outcome) {
    if (!outcome) {
        return log.log(LogEvent::backend_failed,
                       {{LogField::backend, name},
                        {LogField::file, store.path()},
                        {LogField::what, "kept the old users: " + outcome.error().text(3)}});
    }
    if (*outcome == backends::FileStore::Change::kNone) return;
    log.log(LogEvent::backend, {{LogField::backend, name},
                                {LogField::file, store.path()},
                                {LogField::users, store.users()->size()}});
}

}  // namespace

Authenticators::Authenticators(net::EventLoop& loop)
    : loop_(loop), look_again_(loop, [this] { look_for_changes(); }) {}

Authenticators::~Authenticators() {
    stop_pool();
}

std::vector<std::string> Authenticators::start(const Plan& plan, observe::LogSink& log,
                                               net::BackgroundThread& background) {
    log_ = &log;
    background_ = &background;
    const conf::Config& config = *plan.config;
    std::vector<std::string> problems;

    auto library = auth::SaslLibrary::start(
        {.log = [&log](std::string_view line) { log.log(LogEvent::debug, {{LogField::what, line}}); }});
    if (!library) return {library.error().message};
    library_ = std::move(*library);
    engine_ = std::make_unique<auth::CyrusEngine>(*library_, plan.hostname);
    pool_ = std::make_unique<auth::VerifyPool>(auth::VerifyPool::Settings{
        .threads = config.auth.concurrency.value_or(usable_cpus()), .queue = config.auth.queue});

    for (const std::string& name : config.auth.backends) {
        const auto* const file = std::get_if<conf::FileBackend>(&config.backends.at(name));
        if (file == nullptr) continue;
        auto store = std::make_shared<backends::FileStore>(file->path);
        if (const auto loaded = store->reload(); !loaded) {
            problems.push_back(loaded.error().text());
        } else {
            tell(log, name, *store, backends::FileStore::Change::kReloaded);
        }
        files_.emplace_back(name, store);
        stores_.push_back({name, store});
    }
    look_again_.start(kLookEvery);
    return problems;
}

/// The next look is only timed when this one has ended, so that a slow disk piles nothing up.
void Authenticators::look_for_changes() {
    reload();
    background_->post([this, loop = &loop_] { loop->post([this] { look_again_.start(kLookEvery); }); });
}

void Authenticators::reload() {
    for (const auto& file : files_) {
        background_->post([file, log = log_] {
            const auto& [name, store] = file;
            tell(*log, name, *store, store->reload_if_changed());
        });
    }
}

void Authenticators::stop_pool() {
    if (pool_) pool_->stop();
}

}  // namespace gatepost::server

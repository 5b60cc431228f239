#include "proxy/server/authenticators.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <variant>

#include "auth/dialogue/mechanisms.h"
#include "conf/differences.h"
#include "proxy/server/cpus.h"
#include "proxy/server/unservable.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

/// Of Debian's libsasl2-modules; those that are configured come to them.
constexpr std::array<std::string_view, 11> kUsualMechanisms{"PLAIN",         "LOGIN",
                                                            "CRAM-MD5",      "DIGEST-MD5",
                                                            "SCRAM-SHA-1",   "SCRAM-SHA-1-PLUS",
                                                            "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                                                            "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS",
                                                            "EXTERNAL"};

constexpr std::string_view kNoThreads =
    "the system gives no more threads (TasksMax of the unit, pids of the container, ulimit -u); those of "
    "former configurations last as long as their sessions";

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

/// Where Debian's saslauthd listens, or where the option of Cyrus SASL says.
std::string saslauthd_socket(const conf::SaslBackend& sasl) {
    const auto given = sasl.options.find("saslauthd_path");
    return given == sasl.options.end() ? "/run/saslauthd/mux" : given->second;
}

}  // namespace

UsersFiles read_users_files(const conf::Config& config, const conf::Config& before) {
    const auto has = [&before](const std::string& path) {
        return std::ranges::any_of(before.auth.backends, [&](const std::string& name) {
            const auto* const file = std::get_if<conf::FileBackend>(&before.backends.at(name));
            return file != nullptr && file->path == path;
        });
    };
    UsersFiles read;
    for (const std::string& name : config.auth.backends) {
        const auto* const file = std::get_if<conf::FileBackend>(&config.backends.at(name));
        if (file == nullptr || has(file->path) || read.contains(file->path)) continue;
        auto store = std::make_shared<backends::FileStore>(file->path);
        if (store->reload()) read.emplace(file->path, std::move(store));
    }
    return read;
}

Authenticators::Authenticators(net::EventLoop& loop)
    : loop_(loop), look_again_(loop, [this] { look_for_changes(); }) {}

Authenticators::~Authenticators() {
    *self_ = nullptr;
    stop_pool();
}

Authenticators::Sasl::~Sasl() {
    if (!is_free) auth::SaslLibrary::abandon(std::move(library));
}

std::vector<std::string> Authenticators::start(const Plan& plan, const Process& process,
                                               const Authenticators* before, const UsersFiles& read) {
    log_ = &process.log;
    background_ = &process.background;
    resolver_ = &process.resolver;
    config_ = plan.config;
    std::vector<std::string> problems;

    mechanisms_ = config_->auth.mechanisms;
    hostname_ = plan.hostname;
    if (!start_engine(plan, before, problems)) return problems;
    // A big file is not read twice; whether it has changed is looked at in the background.
    UsersFiles known = read;
    if (before != nullptr) {
        for (const Opened& opened : before->opened_) {
            if (opened.file) known.emplace(opened.file->path(), opened.file);
        }
    }
    for (const std::string& name : config_->auth.backends) open_backend(plan, name, known, problems);
    for (const Opened& opened : opened_) {
        if (opened.file && read.contains(opened.file->path()))
            tell(*log_, opened.name, *opened.file, backends::FileStore::Change::kReloaded);
    }
    note_servable();
    if (problems.empty()) note_unservable();
    look_again_.start(kLookEvery);
    return problems;
}

/// Its plugins are loaded once a process: what a reload may add is loaded from the start.
Result<std::shared_ptr<Authenticators::Sasl>> Authenticators::sasl_for(const Plan& plan,
                                                                       const Authenticators* before) {
    const conf::Auth& auth = plan.config->auth;
    auto sasl = std::make_shared<Sasl>();
    for (const std::string& name : auth.backends) {
        const auto* const backend = std::get_if<conf::SaslBackend>(&plan.config->backends.at(name));
        if (backend != nullptr && backend->method == conf::SaslMethod::Auxprop)
            sasl->auxprops.push_back(auxprop_settings(*backend, plan.hostname));
    }
    if (before != nullptr) {
        if (sasl->auxprops != before->sasl_->auxprops)
            return fail("backends: the options of Cyrus SASL's plugins are read at start only: restart");
        for (const std::string& mechanism : mechanisms_) {
            if (!before->sasl_->library->has(mechanism))
                return fail("auth.mechanisms: the plugin of " + mechanism +
                            " is loaded at start only: restart");
        }
        return before->sasl_;
    }
    std::vector<std::string> loaded = mechanisms_;
    for (const std::string_view usual : kUsualMechanisms) {
        if (std::ranges::find(loaded, usual) == loaded.end()) loaded.emplace_back(usual);
    }
    auto library = auth::SaslLibrary::start(
        {.log = [log = log_](std::string_view line) { log->log(LogEvent::debug, {{LogField::what, line}}); },
         .mechanisms = std::move(loaded),
         .auxprops = sasl->auxprops});
    if (!library) return std::unexpected(std::move(library.error()));
    sasl->library = std::move(*library);
    return sasl;
}

/// What was right a moment ago still is, unless other backends are asked.
Result<std::shared_ptr<auth::VerifyCache>> Authenticators::cache_for(const conf::Config& config,
                                                                     const Authenticators* before) {
    if (before != nullptr && conf::same_settings(*before->config_, config, "auth.cache") &&
        conf::same_settings(*before->config_, config, "backends")) {
        return before->cache_;
    }
    auto made =
        auth::VerifyCache::make({.time_to_live = config.auth.cache.ttl, .entries = config.auth.cache.size});
    if (!made) return std::unexpected(std::move(made.error()));
    return std::shared_ptr<auth::VerifyCache>(std::move(*made));
}

bool Authenticators::start_engine(const Plan& plan, const Authenticators* before,
                                  std::vector<std::string>& problems) {
    const conf::Auth& auth = plan.config->auth;
    auto sasl = sasl_for(plan, before);
    auto cache = cache_for(*plan.config, before);
    if (!sasl) problems.push_back(sasl.error().message);
    if (!cache) problems.push_back(cache.error().message);
    // Strangers go on to look as they did.
    if (before != nullptr && !auth.scram_secret && !before->config_->auth.scram_secret) {
        fake_ = before->fake_;
    } else {
        auto fake = auth.scram_secret ? auth::ScramFake::make(auth.scram_secret->reveal())
                                      : auth::ScramFake::make_random();
        if (fake) fake_ = std::make_shared<const auth::ScramFake>(std::move(*fake));
        if (!fake) problems.push_back("auth.scram_secret_file: " + fake.error().message);
    }
    if (!problems.empty()) return false;
    sasl_ = std::move(*sasl);
    cache_ = std::move(*cache);
    engine_ = std::make_unique<auth::CyrusEngine>(*sasl_->library, plan.hostname);
    pool_ = std::make_unique<auth::VerifyPool>(
        auth::VerifyPool::Settings{.threads = auth.concurrency.value_or(usable_cpus()), .queue = auth.queue});
    if (!pool_->is_complete()) problems.push_back("auth.concurrency: " + std::string(kNoThreads));
    return problems.empty();
}

void Authenticators::open_backend(const Plan& plan, const std::string& name, const UsersFiles& known,
                                  std::vector<std::string>& problems) {
    const conf::Backend& backend = plan.config->backends.at(name);
    if (const auto* const file = std::get_if<conf::FileBackend>(&backend)) {
        open_file(name, *file, known, problems);
    } else if (const auto* const redis = std::get_if<conf::RedisBackend>(&backend)) {
        open_redis(name, *redis, plan.workers, problems);
    } else if (const auto* const sasl = std::get_if<conf::SaslBackend>(&backend)) {
        open_sasl(name, *sasl, problems);
    }
}

void Authenticators::open_sasl(const std::string& name, const conf::SaslBackend& sasl,
                               std::vector<std::string>& problems) {
    if (sasl.method == conf::SaslMethod::Auxprop) {
        for (const std::string& note : auxprop_notes(name, sasl))
            log_->log(LogEvent::backend, {{LogField::backend, name}, {LogField::what, note}});
        Opened opened;
        opened.name = name;
        opened.auxprop = std::make_unique<AuxpropBackend>(name, sasl, hostname_, *log_);
        if (!opened.auxprop->is_watched())
            problems.push_back("backends." + name + ": " + std::string(kNoThreads));
        opened.stand_in = std::make_shared<auth::StandIn>(auth::StandIn::kPlain);
        opened_.push_back(std::move(opened));
        return;
    }
    const std::string path = saslauthd_socket(sasl);
    const auto socket = net::SocketAddress::from_unix_path(path);
    if (!socket)
        return problems.push_back("backends." + name + ": " + path + " is too long for a unix socket");
    saslauthd_ = {.name = name, .settings = {.socket = *socket, .realm = sasl.realm}};
    saslauthd_log_ = std::make_unique<SaslauthdLog>(*log_, name);
}

void Authenticators::open_file(const std::string& name, const conf::FileBackend& file,
                               const UsersFiles& known, std::vector<std::string>& problems) {
    const auto found = known.find(file.path);
    if (found != known.end())
        return opened_.push_back({.name = name, .file = found->second, .redis = nullptr});
    auto store = std::make_shared<backends::FileStore>(file.path);
    if (const auto loaded = store->reload(); !loaded) {
        problems.push_back(loaded.error().text());
    } else {
        tell(*log_, name, *store, backends::FileStore::Change::kReloaded);
    }
    opened_.push_back({.name = name, .file = std::move(store), .redis = nullptr});
}

/// Whether it is there is not asked: it may come later, and then it is found.
void Authenticators::open_redis(const std::string& name, const conf::RedisBackend& redis, unsigned workers,
                                std::vector<std::string>& problems) {
    for (const RedisProblem& problem : redis_problems(redis))
        problems.push_back("backends." + name + "." + problem.key + ": " + problem.message);
    if (!problems.empty()) return;
    auto made = RedisBackend::make(name, redis, workers, *log_);
    if (!made) return problems.push_back("backends." + name + ": " + made.error().message);
    opened_.push_back({.name = name,
                       .file = nullptr,
                       .redis = std::move(*made),
                       .stand_in = std::make_shared<auth::StandIn>()});
}

std::unique_ptr<auth::Verifier> Authenticators::make_verifier(
    net::EventLoop& loop, auth::VerdictReceiver& receiver, const observe::MetricsRegistry& registry,
    observe::WorkerMetrics& metrics, auth::VerifierObserver* observer, const Wrap& wrap) {
    std::vector<auth::NamedStore> stores;
    for (const Opened& opened : opened_) {
        std::shared_ptr<auth::CredentialStore> store = opened.file;
        if (opened.redis)
            store = opened.redis->make_store(loop, *resolver_, metrics, registry.backend(opened.name));
        if (opened.auxprop) store = opened.auxprop->store();
        stores.push_back({.name = opened.name, .store = std::move(store), .stand_in = opened.stand_in});
    }
    if (saslauthd_) {
        stores.push_back({.name = saslauthd_->name,
                          .store = nullptr,
                          .service = std::make_shared<backends::SaslauthdClient>(loop, saslauthd_->settings,
                                                                                 *saslauthd_log_)});
    }
    auth::StoreVerifier::Parts parts{.home = loop,
                                     .receiver = receiver,
                                     .engine = *engine_,
                                     .pool = *pool_,
                                     .cache = *cache_,
                                     .fake = *fake_,
                                     .stores = std::move(stores),
                                     .realm = hostname_,
                                     .observer = observer};
    return std::make_unique<auth::StoreVerifier>(wrap ? wrap(std::move(parts)) : std::move(parts));
}

bool Authenticators::can_serve(const std::string& mechanism) const {
    const auth::Mechanism* const known = auth::find_mechanism(mechanism);
    if (known != nullptr && known->asks_elsewhere) return true;  // whatever the backends hold
    if (saslauthd_ && !auth::is_plaintext(mechanism)) return false;
    return std::ranges::all_of(opened_, [&](const Opened& opened) {
        if (opened.redis) return opened.redis->serves(mechanism);
        if (opened.auxprop) return opened.auxprop->serves(mechanism);
        const auto users = opened.file->users();
        return !users || users->cannot_use(mechanism) == 0;
    });
}

/// Once, at start: who keeps which mechanism from being offered. `gatepost check` says the same later.
void Authenticators::note_unservable() {
    for (const Opened& opened : opened_) {
        const auto users = opened.file ? opened.file->users() : nullptr;
        if (!users) continue;
        for (const std::string& note : unservable_notes(opened.name, *users, mechanisms_))
            log_->log(LogEvent::backend, {{LogField::backend, opened.name}, {LogField::what, note}});
    }
}

/// Nobody is led into a mechanism that must fail for some (decisions 12).
void Authenticators::note_servable() {
    std::vector<std::string> servable;
    std::ranges::copy_if(mechanisms_, std::back_inserter(servable),
                         [this](const std::string& mechanism) { return can_serve(mechanism); });
    if (servable == *servable_) return;
    servable_ = std::make_shared<const std::vector<std::string>>(std::move(servable));
    if (told_) told_(servable_);
}

/// The next look is only timed when this one has ended, so that a slow disk piles nothing up.
void Authenticators::look_for_changes() {
    reload();
    background_->post([self = self_, loop = &loop_] {
        loop->post([self] {
            if (*self == nullptr) return;
            (*self)->note_servable();
            (*self)->look_again_.start(kLookEvery);
        });
    });
}

void Authenticators::reload() {
    for (const Opened& opened : opened_) {
        if (opened.redis) {
            opened.redis->look_at_password(*background_, loop_);
            continue;
        }
        if (!opened.file) continue;
        background_->post([name = opened.name, store = opened.file, log = log_] {
            tell(*log, name, *store, store->reload_if_changed());
        });
    }
}

void Authenticators::stop_pool() {
    if (std::exchange(is_stopped_, true)) return;
    if (pool_) pool_->stop();
    for (const Opened& opened : opened_) {
        if (opened.auxprop && !opened.auxprop->stop()) sasl_->is_free = false;
    }
}

}  // namespace gatepost::server

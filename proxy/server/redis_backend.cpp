#include "proxy/server/redis_backend.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "conf/files.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

/// What the connection of one worker goes through, for the metrics of its thread and for the log.
class RedisWatch final : public backends::RedisObserver {
  public:
    RedisWatch(RedisLog& log, observe::WorkerMetrics& metrics, observe::BackendIndex index)
        : log_(log), metrics_(metrics), index_(index) {}
    /// A store that is destroyed closes its connection and says nothing of it.
    ~RedisWatch() override { on_redis_use(backends::RedisUse::kNone); }
    RedisWatch(const RedisWatch&) = delete;
    RedisWatch& operator=(const RedisWatch&) = delete;

    void on_redis_connected(std::string_view server) override {
        is_connected_ = true;
        log_.connected(server);
    }
    void on_redis_lost(std::string_view server, std::string_view reason) override {
        log_.lost(server, reason, std::exchange(is_connected_, false));
    }
    void on_redis_breaker(bool is_open) override { log_.breaker(is_open); }
    void on_redis_use(backends::RedisUse use) override {
        const std::optional<conf::PoolState> state = to_label(use);
        metrics_.backend_connection_moved(index_, std::exchange(state_, state), state);
    }

  private:
    [[nodiscard]] static std::optional<conf::PoolState> to_label(backends::RedisUse use) {
        switch (use) {
            case backends::RedisUse::kNone: return std::nullopt;
            case backends::RedisUse::kOpening: return conf::PoolState::kOpening;
            case backends::RedisUse::kIdle: return conf::PoolState::kIdle;
            case backends::RedisUse::kActive: return conf::PoolState::kActive;
        }
        return std::nullopt;
    }

    RedisLog& log_;
    observe::WorkerMetrics& metrics_;
    const observe::BackendIndex index_;
    bool is_connected_ = false;
    std::optional<conf::PoolState> state_;
};

/// A store and what it tells: they go together.
struct WatchedStore {
    WatchedStore(RedisLog& log, observe::WorkerMetrics& metrics, observe::BackendIndex index,
                 net::EventLoop& loop, net::Resolver& resolver, backends::RedisStoreSettings settings)
        : watch(log, metrics, index), store(loop, resolver, std::move(settings), watch) {}

    RedisWatch watch;
    backends::RedisStore store;
};

}  // namespace

std::vector<RedisProblem> redis_address_problems(const std::string& url, const std::string& tls_ca) {
    if (url.empty()) return {};
    const auto parsed = backends::RedisUrl::parse(url);
    if (!parsed) return {{"url", parsed.error().message}};
    if (const auto tls = backends::make_redis_tls(*parsed, tls_ca); !tls)
        return {{"tls_ca", tls.error().message}};
    return {};
}

std::vector<RedisProblem> redis_problems(const conf::RedisBackend& redis) {
    std::vector<RedisProblem> problems = redis_address_problems(redis.url, redis.tls_ca);
    // Without it, everybody would have the password of one and the same hash.
    if (redis.key.find("{user}") == std::string::npos)
        problems.push_back({"key", "must contain {user}, for which the name of the user is put"});
    return problems;
}

RedisBackend::RedisBackend(const conf::RedisBackend& redis, backends::RedisStoreSettings settings,
                           observe::LogSink& log)
    : settings_(std::move(settings)),
      password_file_(redis.password_file),
      mechanisms_(redis.mechanisms),
      log_(log),
      changes_(log, settings_.name) {}

Result<std::unique_ptr<RedisBackend>> RedisBackend::make(std::string name, const conf::RedisBackend& redis,
                                                         unsigned workers, observe::LogSink& log) {
    auto url = backends::RedisUrl::parse(redis.url);
    if (!url) return std::unexpected(std::move(url.error()));
    backends::RedisStoreSettings settings{.name = std::move(name), .key = redis.key, .redis = {}};
    settings.redis.url = std::move(*url);
    settings.redis.username = redis.username;
    settings.redis.password = redis.password;
    settings.redis.timeout = settings.redis.connect_timeout = redis.timeout;
    std::unique_ptr<RedisBackend> made(new RedisBackend(redis, std::move(settings), log));
    for (unsigned i = 0; i < workers; ++i) {
        auto tls = backends::make_redis_tls(made->settings_.redis.url, redis.tls_ca);
        if (!tls) return std::unexpected(std::move(tls.error()));
        made->tls_.push_back(std::move(*tls));
    }
    return made;
}

std::shared_ptr<auth::CredentialStore> RedisBackend::make_store(net::EventLoop& loop, net::Resolver& resolver,
                                                                observe::WorkerMetrics& metrics,
                                                                observe::BackendIndex index) {
    backends::RedisStoreSettings settings = settings_;
    settings.redis.tls = std::move(tls_.back());
    tls_.pop_back();
    auto watched =
        std::make_shared<WatchedStore>(changes_, metrics, index, loop, resolver, std::move(settings));
    std::shared_ptr<backends::RedisStore> store(watched, &watched->store);
    stores_.push_back({.loop = &loop, .store = store});
    return store;
}

bool RedisBackend::serves(const std::string& mechanism) const {
    return std::ranges::find(mechanisms_, mechanism) != mechanisms_.end();
}

void RedisBackend::look_at_password(net::BackgroundThread& background, Executor& home) {
    if (password_file_.empty()) return;
    background.post([self = self_, path = password_file_, &home] {
        home.post([self, read = conf::read_secret_file(path)]() mutable {
            if (*self != nullptr) (*self)->on_password(std::move(read));
        });
    });
}

void RedisBackend::on_password(Result<conf::SharedSecret> read) {
    if (!read) {
        // It may be in the middle of being replaced: the password that was there goes on.
        if (!std::exchange(could_read_, false)) return;
        return log_.log(LogEvent::backend_failed, {{LogField::backend, settings_.name},
                                                   {LogField::file, password_file_},
                                                   {LogField::what, read.error().message}});
    }
    could_read_ = true;
    const conf::SharedSecret& old = settings_.redis.password;
    if (old && equal_in_constant_time(old->reveal(), (*read)->reveal())) return;
    settings_.redis.password = std::move(*read);
    // Only its worker may be the last to hold a store.
    for (const Made& made : stores_) {
        made.loop->post([store = made.store, password = settings_.redis.password] {
            if (const auto alive = store.lock()) alive->set_password(password);
        });
    }
    log_.log(LogEvent::backend, {{LogField::backend, settings_.name},
                                 {LogField::file, password_file_},
                                 {LogField::what, "the password has changed; the next connection uses it"}});
}

}  // namespace gatepost::server

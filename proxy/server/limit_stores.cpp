#include "proxy/server/limit_stores.h"

#include <algorithm>
#include <random>
#include <utility>

namespace gatepost::server {
namespace {

using conf::LimitStoreUnavailable;
using WhenAway = backends::RedisLimitSettings::WhenAway;

/// To find the server and greet it is worth more than one answer is: nobody waits for it.
constexpr std::chrono::seconds kConnectTimeout{1};
/// Of one worker at once. Rather many: each is a message that could go on.
constexpr std::size_t kMostWaiting = 8192;

WhenAway when_away(LimitStoreUnavailable when) {
    switch (when) {
        case LimitStoreUnavailable::Local: return WhenAway::kStandIn;
        case LimitStoreUnavailable::Allow: return WhenAway::kAllow;
        case LimitStoreUnavailable::Defer: return WhenAway::kDefer;
    }
    return WhenAway::kStandIn;
}

/// Of this process alone: one that is started again is another.
std::string make_replica_id() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::random_device random;
    std::string id;
    for (int i = 0; i < 16; ++i) id += kDigits[random() % kDigits.size()];
    return id;
}

class LimitWatch final : public backends::RedisLimitObserver {
  public:
    LimitWatch(LimitStoreLog& changes, observe::WorkerMetrics& metrics)
        : changes_(changes), metrics_(metrics) {}

    void on_limit_store_away(std::string_view reason, unsigned replicas) override {
        changes_.away(reason, replicas);
    }
    void on_limit_store_back() override { changes_.back(); }
    void on_limit_answer(Duration took) override { metrics_.limit_store_answered(took); }
    void on_limit_error() override { metrics_.limit_store_failed(); }
    void on_limit_replicas(unsigned replicas) override { changes_.replicas(replicas); }

  private:
    LimitStoreLog& changes_;
    observe::WorkerMetrics& metrics_;
};

/// A store and what it tells: they go together.
struct WatchedStore {
    WatchedStore(LimitStoreLog& changes, observe::WorkerMetrics& metrics, net::EventLoop& loop,
                 const LimitStores::Parts& parts, backends::RedisLimitSettings settings)
        : watch(changes, metrics), store(loop, parts.resolver, std::move(settings), parts.memory, watch) {}

    LimitWatch watch;
    backends::RedisLimitStore store;
};

}  // namespace

std::vector<RedisProblem> limit_store_problems(const conf::LimitStore& store) {
    if (store.type != conf::LimitStoreType::Redis) return {};
    return redis_address_problems(store.url, store.tls_ca);
}

LimitStores::LimitStores(const conf::LimitStore& store, const Parts& parts)
    : parts_(parts),
      is_redis_(store.type == conf::LimitStoreType::Redis),
      changes_(parts.log, parts.registry, store.when_unavailable),
      password_file_(store.password_file) {
    changes_.use(parts.registry);
    settings_.when_away = when_away(store.when_unavailable);
    settings_.replica = make_replica_id();
    settings_.redis.username = store.username;
    settings_.redis.password = store.password;
    settings_.redis.timeout = store.timeout;
    settings_.redis.connect_timeout = std::max<Duration>(store.timeout, kConnectTimeout);
    settings_.redis.most_waiting = kMostWaiting;
}

Result<std::unique_ptr<LimitStores>> LimitStores::make(const conf::LimitStore& store, unsigned workers,
                                                       const Parts& parts) {
    std::unique_ptr<LimitStores> made(new LimitStores(store, parts));
    if (!made->is_redis_) return made;
    auto url = backends::RedisUrl::parse(store.url);
    if (!url) return std::unexpected(std::move(url.error()));
    made->settings_.redis.url = std::move(*url);
    for (unsigned i = 0; i <= workers; ++i) {
        auto tls = backends::make_redis_tls(made->settings_.redis.url, store.tls_ca);
        if (!tls) return std::unexpected(std::move(tls.error()));
        made->tls_.push_back(std::move(*tls));
    }
    return made;
}

LimitStores::Opened LimitStores::open(net::EventLoop& loop, observe::WorkerMetrics& metrics) {
    if (!is_redis_) {
        policy::LimitStore& memory = parts_.memory;
        return {.store = {std::shared_ptr<void>(), &memory},
                .inventory = {std::shared_ptr<void>(), dynamic_cast<policy::LimitInventory*>(&memory)}};
    }
    backends::RedisLimitSettings settings = settings_;
    settings.redis.tls = std::move(tls_.back());
    tls_.pop_back();
    settings.number = static_cast<unsigned>(tls_.size());
    const auto watched = std::make_shared<WatchedStore>(changes_, metrics, loop, parts_, std::move(settings));
    const std::shared_ptr<backends::RedisLimitStore> store(watched, &watched->store);
    stores_.push_back({.loop = &loop, .store = store});
    return {.store = store, .inventory = store};
}

void LimitStores::use_password(const conf::LimitStore& store) {
    // Another file is another key of limit_store, which only a restart takes.
    if (!is_redis_ || password_file_.empty() || store.password_file != password_file_) return;
    const conf::SharedSecret& old = settings_.redis.password;
    if (old && store.password && equal_in_constant_time(old->reveal(), store.password->reveal())) return;
    settings_.redis.password = store.password;
    // Only its loop may be the last to hold a store.
    for (const Made& made : stores_) {
        made.loop->post([store = made.store, password = settings_.redis.password] {
            if (const auto alive = store.lock()) alive->set_password(password);
        });
    }
}

}  // namespace gatepost::server

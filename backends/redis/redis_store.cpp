#include "backends/redis/redis_store.h"

#include <utility>

#include "backends/redis/redis_credential.h"

namespace gatepost::backends {

Result<std::shared_ptr<const net::TlsClientContext>> make_redis_tls(const RedisUrl& url,
                                                                    const std::string& tls_ca) {
    if (!url.is_tls) return nullptr;
    auto made = net::TlsClientContext::make({.ca = tls_ca});
    if (!made) return std::unexpected(std::move(made.error()));
    return std::shared_ptr<const net::TlsClientContext>(std::move(*made));
}

struct RedisStore::Core {
    Core(net::EventLoop& loop, net::Resolver& resolver, RedisStoreSettings settings, RedisObserver& observer)
        : name(std::move(settings.name)),
          key(std::move(settings.key)),
          connection(loop, resolver, std::move(settings.redis), observer) {}

    std::string name;
    std::string key;
    RedisConnection connection;
};

RedisStore::RedisStore(net::EventLoop& loop, net::Resolver& resolver, RedisStoreSettings settings,
                       RedisObserver& observer)
    : loop_(loop), core_(std::make_shared<Core>(loop, resolver, std::move(settings), observer)) {}

RedisStore::~RedisStore() = default;

void RedisStore::lookup(std::string_view user, Executor& home,
                        std::move_only_function<void(auth::Lookup)> answer) {
    auto tell = [&home, answer = std::move(answer), name = core_->name](auth::Lookup lookup) mutable {
        lookup.backend = name;
        home.post([lookup = std::move(lookup), answer = std::move(answer)]() mutable {
            answer(std::move(lookup));
        });
    };
    loop_.post([core = std::weak_ptr(core_), user = std::string(user), tell = std::move(tell)]() mutable {
        const auto alive = core.lock();
        if (!alive) return tell({});
        const std::string key = redis_key(alive->key, user);
        alive->connection.command(
            {"HGETALL", key}, [user = std::move(user), tell = std::move(tell)](RedisOutcome outcome) mutable {
                auth::Lookup lookup;
                if (outcome.status == RedisStatus::kReply) lookup = lookup_of(outcome.reply, user);
                lookup.is_timeout = outcome.status == RedisStatus::kTimedOut;
                tell(std::move(lookup));
            });
    });
}

void RedisStore::set_password(std::shared_ptr<const Secret> password) {
    loop_.post([core = std::weak_ptr(core_), password = std::move(password)]() mutable {
        if (const auto alive = core.lock()) alive->connection.set_password(std::move(password));
    });
}

}  // namespace gatepost::backends

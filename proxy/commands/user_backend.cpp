#include "proxy/commands/user_backend.h"

#include <utility>
#include <variant>
#include <vector>

#include "backends/file/file_users.h"
#include "backends/redis/redis_users.h"
#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/base/printable.h"

namespace gatepost::commands {
namespace {

bool holds_users(const conf::Backend& backend) {
    return !std::holds_alternative<conf::SaslBackend>(backend);
}

/// Those of auth.backends that can be written, or all that can.
std::vector<std::string> candidates(const conf::Config& config) {
    std::vector<std::string> names;
    for (const std::string& name : config.auth.backends) {
        const auto found = config.backends.find(name);
        if (found != config.backends.end() && holds_users(found->second)) names.push_back(name);
    }
    if (!names.empty()) return names;
    for (const auto& [name, backend] : config.backends) {
        if (holds_users(backend)) names.push_back(name);
    }
    return names;
}

Result<std::unique_ptr<auth::UserDirectory>> open_redis(const std::string& name,
                                                        const conf::RedisBackend& redis) {
    Result<backends::RedisUrl> url = backends::RedisUrl::parse(redis.url);
    if (!url) return std::unexpected(url.error());
    backends::RedisStoreSettings settings{.name = name, .key = redis.key, .redis = {}};
    auto tls = backends::make_redis_tls(*url, redis.tls_ca);
    if (!tls) return std::unexpected(tls.error());
    settings.redis.url = std::move(*url);
    settings.redis.tls = std::move(*tls);
    settings.redis.username = redis.username;
    settings.redis.password = redis.password;
    settings.redis.client_name = "gatepost-user";
    settings.redis.timeout = redis.timeout;
    return std::make_unique<backends::RedisUsers>(std::move(settings));
}

}  // namespace

std::expected<OpenedUsers, int> open_users(const std::string& config, const std::string& backend,
                                           std::ostream& err) {
    const conf::Loaded loaded = conf::load(config, conf::process_environment(), conf::Files::MayBeMissing);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return std::unexpected(1);
    }
    const auto refuse = [&](const std::string& what) {
        err << config << ": " << what << '\n';
        return std::unexpected(2);
    };
    const conf::Config& settings = **loaded;
    std::string name = backend;
    if (name.empty()) {
        const std::vector<std::string> names = candidates(settings);
        if (names.empty()) return refuse("no backend holds users that this command could change");
        if (names.size() > 1) {
            std::string all;
            for (const std::string& one : names) all += (all.empty() ? "" : ", ") + printable(one);
            return refuse("several backends hold users (" + all + "): say which with --backend");
        }
        name = names.front();
    }
    const auto found = settings.backends.find(name);
    if (found == settings.backends.end())
        return refuse("no backend \"" + printable(name) + "\" under backends");
    OpenedUsers opened{.config = *loaded, .users = nullptr};
    if (const auto* const file = std::get_if<conf::FileBackend>(&found->second)) {
        opened.users = std::make_unique<backends::FileUsers>(file->path);
    } else if (const auto* const redis = std::get_if<conf::RedisBackend>(&found->second)) {
        auto users = open_redis(name, *redis);
        if (!users) return refuse("backends." + printable(name) + ": " + users.error().message);
        opened.users = std::move(*users);
    } else {
        return refuse("backend \"" + printable(name) +
                      "\" is not of type file or redis; its users are managed where they live");
    }
    return opened;
}

}  // namespace gatepost::commands

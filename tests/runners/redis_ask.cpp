// The Redis store alone, for end-to-end tests against a real Redis: a user's name a line on standard input,
// what the store says of it a line on standard output ("bob found limit_class=bulk"), among what happens to
// the connection. Shows no record.
//
// usage: gatepost-redis-ask URL [CA-FILE]
#include <cstdio>
#include <string>
#include <unistd.h>

#include "backends/redis/redis_store.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"

namespace {

using namespace gatepost;

void say(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

class Telling final : public backends::RedisObserver {
  public:
    void on_redis_connected(std::string_view server) override { say("# connected " + std::string(server)); }
    void on_redis_lost(std::string_view server, std::string_view reason) override {
        say("# lost " + std::string(server) + ": " + std::string(reason));
    }
    void on_redis_breaker(bool is_open) override { say(is_open ? "# breaker open" : "# breaker closed"); }
};

std::string describe(const auth::Lookup& lookup) {
    switch (lookup.status) {
        case auth::Lookup::Status::kUnknown: return "unknown";
        case auth::Lookup::Status::kUnavailable: return "unavailable";
        case auth::Lookup::Status::kFound: break;
    }
    const ByteView record = lookup.credential->record.reveal();
    std::string text = "found " + std::string(record.substr(0, record.find('}') + 1));
    if (lookup.credential->disabled) text += " disabled";
    for (const auto& [name, value] : lookup.credential->attributes) text += " " + name + "=" + value;
    return text;
}

}  // namespace

int main(int count, char** words) {
    if (count < 2) return 2;
    auto url = backends::RedisUrl::parse(words[1]);
    if (!url) return say("# url: " + url.error().message), 2;
    auto tls = backends::make_redis_tls(*url, count > 2 ? words[2] : "");
    if (!tls) return say("# tls: " + tls.error().message), 2;

    net::EventLoop loop;
    net::BackgroundThread background;
    net::Resolver resolver(background);
    Telling observer;
    backends::RedisStoreSettings settings;
    settings.redis.url = std::move(*url);
    settings.redis.tls = std::move(*tls);
    settings.redis.timeout = std::chrono::seconds(1);
    backends::RedisStore store(loop, resolver, std::move(settings), observer);

    std::string input;
    net::FdWatch reading(loop, STDIN_FILENO, [&] {
        char space[4096];
        const ssize_t got = ::read(STDIN_FILENO, space, sizeof space);
        if (got <= 0) return loop.stop();
        input.append(space, static_cast<std::size_t>(got));
        for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
            const std::string user = input.substr(0, end);
            store.lookup(user, loop, [user](auth::Lookup lookup) { say(user + " " + describe(lookup)); });
        }
    });
    loop.run();
    return 0;
}

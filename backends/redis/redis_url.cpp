#include "backends/redis/redis_url.h"

#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "proxy/net/resolver.h"

namespace gatepost::backends {

namespace {

constexpr unsigned kMostDatabase = 1'000'000;

int hex_digit(char octet) {
    if (octet >= '0' && octet <= '9') return octet - '0';
    if (octet >= 'a' && octet <= 'f') return octet - 'a' + 10;
    if (octet >= 'A' && octet <= 'F') return octet - 'A' + 10;
    return -1;
}

std::optional<std::string> decode(std::string_view text) {
    std::string decoded;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            decoded += text[at];
            continue;
        }
        if (text.size() - at < 3 || hex_digit(text[at + 1]) < 0 || hex_digit(text[at + 2]) < 0)
            return std::nullopt;
        decoded += static_cast<char>(hex_digit(text[at + 1]) * 16 + hex_digit(text[at + 2]));
        at += 2;
    }
    return decoded;
}

Result<void> read_database(RedisUrl& url, std::string_view digits) {
    const char* end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, url.database);
    if (digits.empty() || error != std::errc() || stopped != end || url.database > kMostDatabase)
        return fail("the database is not a number");
    return {};
}

Result<void> read_userinfo(RedisUrl& url, std::string_view userinfo) {
    const std::size_t colon = userinfo.find(':');
    if (colon == std::string_view::npos)
        return fail("in front of @ it needs user:password, or :password for no user");
    auto user = decode(userinfo.substr(0, colon));
    auto password = decode(userinfo.substr(colon + 1));
    if (!user || !password) return fail("% is not followed by two hexadecimal digits");
    url.username = std::move(*user);
    if (!password->empty()) url.password = std::make_shared<const Secret>(*password);
    wipe(password->data(), password->size());
    return {};
}

Result<void> add_server(RedisUrl& url, std::string_view text, std::string_view default_port) {
    std::string server(text);
    // An IPv6 address has colons of its own, within brackets.
    const std::size_t colon = server.find(':', server.starts_with('[') ? server.find(']') : 0);
    if (colon == std::string::npos) (server += ':') += default_port;
    if (server.starts_with("unix:") || !net::parse_endpoint(server))
        return fail("a server in it is not host, host:port or [IPv6]:port");
    url.servers.push_back(std::move(server));
    return {};
}

Result<void> read_unix(RedisUrl& url, std::string_view rest) {
    const std::size_t query = rest.find('?');
    const auto path = decode(rest.substr(0, query));
    if (!path || !net::parse_endpoint("unix:" + *path) || !path->starts_with('/'))
        return fail("unix:// needs an absolute path, as in unix:///run/redis/redis.sock");
    url.servers.push_back("unix:" + *path);
    if (query == std::string_view::npos) return {};
    const std::string_view option = rest.substr(query + 1);
    if (!option.starts_with("db=")) return fail("after ? only db=NUMBER is known");
    return read_database(url, option.substr(3));
}

Result<void> read_server(RedisUrl& url, std::string_view rest) {
    const std::size_t slash = rest.find('/');
    if (auto added = add_server(url, rest.substr(0, slash), "6379"); !added) return added;
    if (slash == std::string_view::npos || slash + 1 == rest.size()) return {};
    return read_database(url, rest.substr(slash + 1));
}

Result<void> read_sentinels(RedisUrl& url, std::string_view rest) {
    const std::size_t slash = rest.find('/');
    std::string_view hosts = rest.substr(0, slash);
    while (true) {
        const std::size_t comma = hosts.find(',');
        if (auto added = add_server(url, hosts.substr(0, comma), "26379"); !added) return added;
        if (comma == std::string_view::npos) break;
        hosts.remove_prefix(comma + 1);
    }
    const std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    const std::size_t end = path.find('/');
    auto master = decode(path.substr(0, end));
    if (!master || master->empty())
        return fail("redis-sentinel:// needs the name of the master: …:26379/NAME");
    url.master = std::move(*master);
    if (end == std::string_view::npos || end + 1 == path.size()) return {};
    return read_database(url, path.substr(end + 1));
}

}  // namespace

Result<RedisUrl> RedisUrl::parse(std::string_view text) {
    const std::size_t mark = text.find("://");
    const std::string_view scheme = text.substr(0, mark);
    std::string_view rest = mark == std::string_view::npos ? "" : text.substr(mark + 3);
    RedisUrl url;
    url.is_tls = scheme == "rediss" || scheme == "rediss-sentinel";
    const bool is_unix = scheme == "unix";
    // A password may hold @ and /, a path may hold @: the last @ in front of the path, or of the socket's.
    const std::size_t path = is_unix && rest.starts_with('/') ? 0 : std::string_view::npos;
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos && path != 0) {
        if (auto read = read_userinfo(url, rest.substr(0, at)); !read) return std::unexpected(read.error());
        rest.remove_prefix(at + 1);
    }
    Result<void> read;
    if (is_unix) {
        read = read_unix(url, rest);
    } else if (scheme == "redis" || scheme == "rediss") {
        read = read_server(url, rest);
    } else if (scheme == "redis-sentinel" || scheme == "rediss-sentinel") {
        read = read_sentinels(url, rest);
    } else {
        return fail("it does not begin with redis://, rediss://, unix:// or redis-sentinel://");
    }
    if (!read) return std::unexpected(read.error());
    return url;
}

std::string host_of(std::string_view server) {
    if (server.starts_with("unix:")) return {};
    std::string_view host = server.substr(0, server.rfind(':'));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::string(host);
}

}  // namespace gatepost::backends

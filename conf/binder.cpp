// One function for each section of the file, in its order; long because it is one line for each key.
#include "conf/binder.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "conf/keys.h"
#include "conf/units.h"

namespace gatepost::conf {
namespace {

class Binder {
  public:
    explicit Binder(const Values& values) : values_(values) {}

    [[nodiscard]] const std::string* text(const std::string& path) const {
        const auto found = values_.texts.find(path);
        return found == values_.texts.end() ? nullptr : &found->second;
    }

    void get(const std::string& path, auto& out) const {
        const std::string* const value = text(path);
        if (value == nullptr) return;
        using Out = std::remove_cvref_t<decltype(out)>;
        if constexpr (std::is_enum_v<Out>) {
            assign_word(path, *value, out);
        } else {
            assign(*value, out);
        }
    }

    template <typename E>
        requires std::is_enum_v<E>
    void get(const std::string& path, std::optional<E>& out) const {
        E value{};
        if (text(path) == nullptr) return;
        get(path, value);
        out = value;
    }

    template <typename T>
    void get(const std::string& path, std::vector<T>& out) const {
        out.clear();
        for (std::size_t i = 0; text(item(path, i)) != nullptr; ++i) get(item(path, i), out.emplace_back());
    }

    template <typename T>
    void get(const std::string& path, std::map<std::string, T>& out) const {
        for (const auto& name : names(path)) get(path + "." + name, out[name]);
    }

    [[nodiscard]] std::vector<std::string> names(const std::string& path) const {
        const auto found = values_.names.find(path);
        return found == values_.names.end() ? std::vector<std::string>{} : found->second;
    }

    // Of the key itself or of its …_file form.
    void get_secret(const std::string& path, SharedSecret& out) const {
        const auto of_file = values_.secrets.find(path + "_file");
        if (of_file != values_.secrets.end()) {
            out = of_file->second;
        } else if (const std::string* const value = text(path); value != nullptr && !value->empty()) {
            out = std::make_shared<const Secret>(*value);
        }
    }

    [[nodiscard]] static std::string item(const std::string& path, std::size_t index) {
        return path + "[" + std::to_string(index) + "]";
    }

  private:
    static void assign(const std::string& text, std::string& out) { out = text; }
    static void assign(const std::string& text, bool& out) { out = text == "true"; }
    static void assign(const std::string& text, std::uint64_t& out) { out = parse_size(text).value_or(out); }
    static void assign(const std::string& text, int& out) {
        out = static_cast<int>(parse_count(text).value_or(0));
    }
    static void assign(const std::string& text, unsigned& out) {
        out = static_cast<unsigned>(parse_count(text).value_or(0));
    }
    static void assign(const std::string& text, Milliseconds& out) {
        out = parse_duration(text).value_or(out);
    }
    static void assign(const std::string& text, Rate& out) { out = parse_rate_or_count(text).value_or(out); }
    static void assign(const std::string& text, Network& out) { out = parse_network(text).value_or(out); }
    static void assign(const std::string& text, Endpoint& out) { out = parse_endpoint(text).value_or(out); }
    template <typename T>
    static void assign(const std::string& text, std::optional<T>& out) {
        out.reset();
        if (text.empty() || text == "auto" || text == "off") return;
        assign(text, out.emplace());
    }
    template <typename E>
    static void assign_word(const std::string& path, const std::string& text, E& out) {
        std::size_t index = 0;
        for (const std::string_view variant : {"", "file", "redis", "sasl"}) {
            const Key* const key = find_key_of(path, variant);
            if (key != nullptr && is_one_of(key->words_list, text, &index)) {
                out = static_cast<E>(index);
                return;
            }
        }
    }

    const Values& values_;
};

Listener bind_listener(const Binder& from, const std::string& path) {
    Listener listener;
    from.get(path + ".name", listener.name);
    from.get(path + ".address", listener.address);
    from.get(path + ".tls", listener.tls);
    from.get(path + ".require_tls", listener.require_tls);
    from.get(path + ".require_auth", listener.require_auth);
    from.get(path + ".relay_for_anybody", listener.relay_for_anybody);
    from.get(path + ".trusted_networks", listener.trusted_networks);
    from.get(path + ".proxy_protocol_from", listener.proxy_protocol_from);
    from.get(path + ".max_connections", listener.max_connections);
    from.get(path + ".tls_options.min_version", listener.tls_options.min_version);
    from.get(path + ".tls_options.ciphers", listener.tls_options.ciphers);
    from.get(path + ".tls_options.client_ca", listener.tls_options.client_ca);
    return listener;
}

void bind_tls(const Binder& from, Tls& tls) {
    for (std::size_t i = 0; from.text(Binder::item("tls.certificates", i)) != nullptr; ++i) {
        const std::string path = Binder::item("tls.certificates", i);
        auto& certificate = tls.certificates.emplace_back();
        from.get(path + ".certificate", certificate.certificate);
        from.get(path + ".key", certificate.key);
    }
    from.get("tls.min_version", tls.min_version);
    from.get("tls.client_ca", tls.client_ca);
    from.get("tls.ticket_keys", tls.ticket_keys);
    from.get("tls.handshake_timeout", tls.handshake_timeout);
}

void bind_session(const Binder& from, Session& session) {
    from.get("session.greeting_delay", session.greeting_delay);
    from.get("session.command_timeout", session.command_timeout);
    from.get("session.auth_timeout", session.auth_timeout);
    from.get("session.data_timeout", session.data_timeout);
    from.get("session.max_message_size", session.max_message_size);
    from.get("session.max_recipients", session.max_recipients);
    from.get("session.max_errors", session.max_errors);
    from.get("session.max_line_length", session.max_line_length);
    from.get("session.bare_newline", session.bare_newline);
}

void bind_auth(const Binder& from, Auth& auth) {
    from.get("auth.backends", auth.backends);
    from.get("auth.mechanisms", auth.mechanisms);
    from.get("auth.plaintext_without_tls", auth.plaintext_without_tls);
    from.get("auth.legacy_auth_line", auth.legacy_auth_line);
    from.get("auth.max_attempts", auth.max_attempts);
    from.get("auth.concurrency", auth.concurrency);
    from.get("auth.queue", auth.queue);
    from.get("auth.failure_delay", auth.failure_delay);
    from.get("auth.scram_secret_file", auth.scram_secret_file);
    from.get_secret("auth.scram_secret", auth.scram_secret);
    from.get("auth.external_name", auth.external_name);
    from.get("auth.disabled_reply", auth.disabled_reply);
    from.get("auth.guessing.per_ip", auth.guessing.per_ip);
    from.get("auth.guessing.per_network", auth.guessing.per_network);
    from.get("auth.guessing.per_user_and_network", auth.guessing.per_user_and_network);
    from.get("auth.guessing.per_user_delay", auth.guessing.per_user_delay);
    from.get("auth.cache.ttl", auth.cache.ttl);
    from.get("auth.cache.size", auth.cache.size);
}

RedisBackend bind_redis(const Binder& from, const std::string& path) {
    RedisBackend redis;
    from.get(path + ".url", redis.url);
    from.get(path + ".username", redis.username);
    from.get_secret(path + ".password", redis.password);
    from.get(path + ".password_file", redis.password_file);
    from.get(path + ".tls_ca", redis.tls_ca);
    from.get(path + ".key", redis.key);
    from.get(path + ".mechanisms", redis.mechanisms);
    from.get(path + ".timeout", redis.timeout);
    return redis;
}

SaslBackend bind_sasl(const Binder& from, const std::string& path) {
    SaslBackend sasl;
    from.get(path + ".method", sasl.method);
    from.get(path + ".auxprop_plugin", sasl.auxprop_plugin);
    from.get(path + ".options", sasl.options);
    from.get(path + ".realm", sasl.realm);
    from.get(path + ".mechanisms", sasl.mechanisms);
    return sasl;
}

Backend bind_backend(const Binder& from, const std::string& path) {
    std::string type;
    from.get(path + ".type", type);
    if (type == "redis") return bind_redis(from, path);
    if (type == "sasl") return bind_sasl(from, path);
    FileBackend file;
    from.get(path + ".path", file.path);
    return file;
}

void bind_policy(const Binder& from, Policy& policy) {
    from.get("policy.senders", policy.senders);
    from.get("policy.null_sender", policy.null_sender);
    from.get("policy.recipients_allow", policy.recipients_allow);
    from.get("policy.recipients_deny", policy.recipients_deny);
    from.get("policy.received_header", policy.received_header);
    from.get("policy.user_in_received", policy.user_in_received);
}

void bind_pool(const Binder& from, const std::string& path, Pool& pool) {
    from.get(path + ".max_connections", pool.max_connections);
    from.get(path + ".max_idle", pool.max_idle);
    from.get(path + ".min_idle", pool.min_idle);
    from.get(path + ".idle_timeout", pool.idle_timeout);
    from.get(path + ".max_messages", pool.max_messages);
    from.get(path + ".max_age", pool.max_age);
    from.get(path + ".wait_timeout", pool.wait_timeout);
}

Upstream bind_upstream(const Binder& from, const std::string& path) {
    Upstream upstream;
    from.get(path + ".name", upstream.name);
    from.get(path + ".servers", upstream.servers);
    from.get(path + ".balance", upstream.balance);
    from.get(path + ".tls", upstream.tls);
    from.get(path + ".tls_verify", upstream.tls_verify);
    from.get(path + ".tls_ca", upstream.tls_ca);
    from.get(path + ".tls_client.certificate", upstream.tls_client.certificate);
    from.get(path + ".tls_client.key", upstream.tls_client.key);
    from.get(path + ".identity", upstream.identity);
    from.get(path + ".source_address", upstream.source_address);
    from.get(path + ".mail_auth", upstream.mail_auth);
    from.get(path + ".username", upstream.username);
    from.get_secret(path + ".password", upstream.password);
    from.get(path + ".connect_timeout", upstream.connect_timeout);
    from.get(path + ".reply_timeout", upstream.reply_timeout);
    bind_pool(from, path + ".pool", upstream.pool);
    from.get(path + ".health.interval", upstream.health.interval);
    from.get(path + ".health.timeout", upstream.health.timeout);
    from.get(path + ".health.rise", upstream.health.rise);
    from.get(path + ".health.fall", upstream.health.fall);
    return upstream;
}

Route bind_route(const Binder& from, const std::string& path) {
    Route route;
    from.get(path + ".user", route.user);
    from.get(path + ".sender_domain", route.sender_domain);
    from.get(path + ".listener", route.listener);
    from.get(path + ".upstream", route.upstream);
    return route;
}

Limit bind_limit(const Binder& from, const std::string& path) {
    Limit limit;
    from.get(path + ".name", limit.name);
    from.get(path + ".count", limit.count);
    from.get(path + ".per", limit.per);
    from.get(path + ".rate", limit.rate);
    from.get(path + ".burst", limit.burst);
    from.get(path + ".action", limit.action);
    from.get(path + ".classes", limit.classes);
    from.get(path + ".when.listener", limit.when.listener);
    from.get(path + ".when.user", limit.when.user);
    from.get(path + ".when.class", limit.when.user_class);
    from.get(path + ".when.authenticated", limit.when.authenticated);
    from.get(path + ".when.trusted", limit.when.trusted);
    from.get(path + ".enforce", limit.enforce);
    from.get(path + ".ipv4_prefix", limit.ipv4_prefix);
    from.get(path + ".ipv6_prefix", limit.ipv6_prefix);
    return limit;
}

void bind_rest(const Binder& from, Config& config) {
    from.get("limit_store.type", config.limit_store.type);
    from.get("limit_store.url", config.limit_store.url);
    from.get("limit_store.username", config.limit_store.username);
    from.get_secret("limit_store.password", config.limit_store.password);
    from.get("limit_store.password_file", config.limit_store.password_file);
    from.get("limit_store.tls_ca", config.limit_store.tls_ca);
    from.get("limit_store.when_unavailable", config.limit_store.when_unavailable);
    from.get("limit_store.timeout", config.limit_store.timeout);
    from.get("admin.socket", config.admin.socket);
    from.get("admin.address", config.admin.address);
    from.get("log.level", config.log.level);
    from.get("log.format", config.log.format);
    from.get("drain.delay", config.drain.delay);
    from.get("drain.timeout", config.drain.timeout);
}

template <typename T>
void bind_list(const Binder& from, const std::string& path, std::vector<T>& out,
               T (*bind_item)(const Binder&, const std::string&)) {
    for (std::size_t i = 0; from.text(Binder::item(path, i)) != nullptr; ++i) {
        out.push_back(bind_item(from, Binder::item(path, i)));
    }
}

}  // namespace

Config bind(Values& values, const std::string& file) {
    const Binder from(values);
    Config config;
    config.file = file;
    from.get("hostname", config.hostname);
    from.get("run_as", config.run_as);
    from.get("workers", config.workers);
    bind_list(from, "listeners", config.listeners, bind_listener);
    bind_tls(from, config.tls);
    bind_session(from, config.session);
    bind_auth(from, config.auth);
    for (const auto& name : from.names("backends")) {
        config.backends.emplace(name, bind_backend(from, "backends." + name));
    }
    bind_policy(from, config.policy);
    bind_list(from, "upstreams", config.upstreams, bind_upstream);
    bind_list(from, "routes", config.routes, bind_route);
    bind_list(from, "limits", config.limits, bind_limit);
    bind_rest(from, config);
    config.settings = std::move(values.settings);
    return config;
}

}  // namespace gatepost::conf

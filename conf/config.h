// The operator's configuration as values: one immutable snapshot, the same names as the reference file in
// snake_case. It never reads a file and decides nothing; `loader.h` makes it, `server` translates it into
// each part's own settings. Any thread, once loaded.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/base/secret.h"

namespace gatepost::conf {

using Milliseconds = std::chrono::milliseconds;

/// Null = none is configured. The loader has read the `…_file` form already.
using SharedSecret = std::shared_ptr<const Secret>;

/// `auto` is no value: whoever uses the key decides.
using CountOrAuto = std::optional<unsigned>;

/// How often: `count` within `per`, written 100/1h. For a limit on bytes the count is in octets.
struct Rate {
    std::uint64_t count = 0;
    Milliseconds per{};

    /// Without one it is so many at a time: of a limit on sessions alone.
    [[nodiscard]] bool has_time() const noexcept { return per.count() != 0; }
    bool operator==(const Rate&) const = default;
};

/// A CIDR. IPv4 is held as ::ffff:a.b.c.d with 96 added to its prefix, so one comparison serves both
/// families.
struct Network {
    std::array<std::uint8_t, 16> address{};
    unsigned prefix = 128;
    std::string text;  ///< canonical, e.g. 192.0.2.0/24

    /// `candidate` is an address in the same mapped form.
    [[nodiscard]] bool contains(const std::array<std::uint8_t, 16>& candidate) const noexcept {
        for (unsigned bit = 0; bit < prefix; bit += 8) {
            const unsigned rest = prefix - bit;
            const unsigned mask = rest >= 8 ? 0xffU : (0xff00U >> rest) & 0xffU;
            if (((address[bit / 8] ^ candidate[bit / 8]) & mask) != 0) return false;
        }
        return true;
    }
};

/// Instead of the host of a listening address: "*:587" is every address of this machine, IPv4 and IPv6.
constexpr std::string_view kEveryAddress = "*";

/// host:port, [v6]:port or unix:/path. Exactly one of `host` and `path` is set; `host` has no brackets.
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    std::string path;
    std::string text;  ///< canonical, as in the file

    [[nodiscard]] bool is_unix() const noexcept { return !path.empty(); }
};

enum class TlsVersion { Tls12, Tls13 };
enum class ListenerTls { None, StartTls, Implicit };

struct TlsOptions {
    std::optional<TlsVersion> min_version;  ///< no value = tls.min_version
    std::string ciphers;                    ///< "" = the built-in list
    std::string client_ca;                  ///< "" = tls.client_ca
};

struct Listener {
    std::string name;
    Endpoint address;  ///< `host` is a numeric IPv4 or IPv6 address, or kEveryAddress
    ListenerTls tls = ListenerTls::StartTls;
    bool require_tls = true;  ///< false whenever `tls` is None
    /// False is loaded only together with trusted_networks or relay_for_anybody.
    bool require_auth = true;
    bool relay_for_anybody = false;  ///< loaded only where it lets everybody send without AUTH
    std::vector<Network> trusted_networks;
    std::vector<Network> proxy_protocol_from;
    std::uint64_t max_connections = 10000;
    TlsOptions tls_options;
};

struct Certificate {
    std::string certificate;
    std::string key;
};

struct Tls {
    std::vector<Certificate> certificates;  ///< not empty when a listener has TLS; the first is the default
    TlsVersion min_version = TlsVersion::Tls12;
    std::string client_ca;
    std::string ticket_keys;  ///< path; "" = per process
    Milliseconds handshake_timeout{15'000};
};

enum class BareNewline { Reject, Normalize };

struct Session {
    Milliseconds greeting_delay{0};
    Milliseconds command_timeout{300'000};
    Milliseconds auth_timeout{60'000};
    Milliseconds data_timeout{600'000};
    std::uint64_t max_message_size = 50ULL << 20;
    std::uint64_t max_recipients = 1000;
    std::uint64_t max_errors = 10;
    std::uint64_t max_line_length = 2048;
    BareNewline bare_newline = BareNewline::Reject;
};

struct Guessing {
    std::optional<Rate> per_ip = Rate{20, Milliseconds{600'000}};
    std::optional<Rate> per_network = Rate{100, Milliseconds{600'000}};
    std::optional<Rate> per_user_and_network = Rate{10, Milliseconds{600'000}};
    std::optional<Milliseconds> per_user_delay = Milliseconds{5'000};
};

struct Cache {
    Milliseconds ttl{60'000};  ///< zero = off
    std::uint64_t size = 10000;
};

enum class ExternalName { Email, Uri, Cn };

struct Auth {
    std::vector<std::string> backends{"local"};  ///< each is a key of Config::backends
    /// As written, in order, upper case.
    std::vector<std::string> mechanisms{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
    bool plaintext_without_tls = false;
    bool legacy_auth_line = false;
    std::uint64_t max_attempts = 3;
    CountOrAuto concurrency;
    std::uint64_t queue = 1024;
    Milliseconds failure_delay{1'000};
    std::string scram_secret_file;
    SharedSecret scram_secret;  ///< the contents of scram_secret_file
    ExternalName external_name = ExternalName::Email;
    int disabled_reply = 535;
    Guessing guessing;
    Cache cache;
};

struct FileBackend {
    std::string path;
};

struct RedisBackend {
    std::string url;  ///< may hold a password: never print it
    std::string username;
    SharedSecret password;      ///< of `password` or `password_file`
    std::string password_file;  ///< "" = the password is in the configuration and stays
    std::string tls_ca;
    std::string key = "gatepost:user:{user}";
    std::vector<std::string> mechanisms{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
    Milliseconds timeout{2'000};
};

enum class SaslMethod { Saslauthd, Auxprop };
enum class AuxpropPlugin { Sasldb, Sql, Ldapdb };

struct SaslBackend {
    SaslMethod method = SaslMethod::Saslauthd;
    AuxpropPlugin auxprop_plugin = AuxpropPlugin::Sasldb;
    std::map<std::string, std::string>
        options;  ///< of Cyrus SASL, by its own names; may hold passwords: never print them
    std::string realm;
    std::vector<std::string> mechanisms{"PLAIN", "LOGIN"};
};

using Backend = std::variant<FileBackend, RedisBackend, SaslBackend>;

enum class SenderPolicy { Any, Own };

struct Policy {
    SenderPolicy senders = SenderPolicy::Any;
    bool null_sender = true;
    std::vector<std::string> recipients_allow;
    std::vector<std::string> recipients_deny;
    bool received_header = true;
    bool user_in_received = false;
};

enum class Balance { LeastConnections, RoundRobin, FirstHealthy };
enum class UpstreamTls { None, Opportunistic, Required, Implicit };
enum class UpstreamIdentity { None, Xclient, XclientLogin, ProxyV2, ProxyV1 };

struct Pool {
    std::uint64_t max_connections = 100;
    std::uint64_t max_idle = 16;
    std::uint64_t min_idle = 0;
    Milliseconds idle_timeout{30'000};
    std::uint64_t max_messages = 100;
    Milliseconds max_age{600'000};
    Milliseconds wait_timeout{30'000};
};

struct Health {
    Milliseconds interval{10'000};
    Milliseconds timeout{5'000};
    std::uint64_t rise = 2;
    std::uint64_t fall = 3;
};

struct Upstream {
    std::string name;
    std::vector<Endpoint> servers;  ///< never empty; `host` may be a name
    Balance balance = Balance::LeastConnections;
    UpstreamTls tls = UpstreamTls::None;
    bool tls_verify = true;
    std::string tls_ca;
    Certificate tls_client;
    UpstreamIdentity identity = UpstreamIdentity::None;
    std::string source_address;
    bool mail_auth = false;
    std::string username;
    SharedSecret password;  ///< of `password` or `password_file`
    Milliseconds connect_timeout{10'000};
    Milliseconds reply_timeout{300'000};
    Pool pool;
    Health health;
};

/// "" matches everything.
struct Route {
    std::string user;
    std::string sender_domain;
    std::string listener;
    std::string upstream;
};

enum class LimitCount { Connections, Sessions, AuthAttempts, AuthFailures, Messages, Recipients, Bytes };
enum class LimitPer { Ip, Network, User, Sender, SenderDomain, RecipientDomain, Listener, Upstream, All };
enum class LimitAction { Defer, Reject, Close, Delay };

/// "" and no value match everything.
struct LimitWhen {
    std::string listener;
    std::string user;
    std::string user_class;  ///< the key `class`
    std::optional<bool> authenticated;
    std::optional<bool> trusted;
};

struct Limit {
    std::string name;
    LimitCount count = LimitCount::Messages;
    LimitPer per = LimitPer::User;
    Rate rate;
    std::optional<std::uint64_t> burst;  ///< no value = rate.count
    LimitAction action = LimitAction::Defer;
    std::map<std::string, Rate> classes;
    LimitWhen when;
    bool enforce = true;
    unsigned ipv4_prefix = 24;
    unsigned ipv6_prefix = 64;
};

enum class LimitStoreType { Memory, Redis };
enum class LimitStoreUnavailable { Local, Allow, Defer };

struct LimitStore {
    LimitStoreType type = LimitStoreType::Memory;
    std::string url;  ///< may hold a password: never print it
    std::string username;
    SharedSecret password;  ///< of `password_file`
    std::string password_file;
    std::string tls_ca;
    LimitStoreUnavailable when_unavailable = LimitStoreUnavailable::Local;
    Milliseconds timeout{200};
};

struct Admin {
    std::string socket;
    std::optional<Endpoint> address;  ///< no value = off
};

enum class LogLevel { Debug, Info, Warning, Error };
enum class LogFormat { Text, Json, Logfmt };

struct Log {
    LogLevel level = LogLevel::Info;
    LogFormat format = LogFormat::Text;
};

struct Drain {
    Milliseconds delay{5'000};
    Milliseconds timeout{60'000};
};

/// What a key is worth and where that was said. `text` is canonical YAML-free text with secrets already
/// masked.
struct Setting {
    std::size_t line = 0;  ///< from 1; 0 = a default, not written in the file
    std::size_t column = 0;
    std::string text;
};

/// Built by the loader (or field by field in a test), then shared as `shared_ptr<const Config>`: a connection
/// keeps the one that it was born with.
struct Config {
    std::string hostname;  ///< "" = this machine's fully qualified name
    std::string run_as;
    CountOrAuto workers;
    std::vector<Listener> listeners;
    Tls tls;
    Session session;
    Auth auth;
    std::map<std::string, Backend> backends;
    Policy policy;
    std::vector<Upstream> upstreams;  ///< the first is the default
    std::vector<Route> routes;
    std::vector<Limit> limits;
    LimitStore limit_store;
    Admin admin;
    Log log;
    Drain drain;

    std::string file;  ///< as it was named to the loader
    std::map<std::string, Setting, std::less<>>
        settings;  ///< by path, e.g. listeners[0].address, backends.local.path

    /// "file:line:column" of the key at `path` ("tls.certificates[0].key"); of the nearest enclosing key that
    /// was written when it was not itself, at last of the file's first line.
    [[nodiscard]] std::string where(std::string_view path) const;

    /// The setting of `path`, or of the nearest enclosing key, that was written in the file; null when none
    /// was.
    [[nodiscard]] const Setting* nearest_written(std::string_view path) const;

    [[nodiscard]] bool is_written(std::string_view path) const {
        const auto found = settings.find(path);
        return found != settings.end() && found->second.line != 0;
    }
};

}  // namespace gatepost::conf

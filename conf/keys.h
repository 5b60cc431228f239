// THE table of the configuration: every key, what it may be worth, and one sentence about it. The loader,
// `gatepost check --dump`, gatepost.yaml and docs/configuration.md all come from it; a key that is not here
// does not exist. Any thread.
//
// Paths: `a.b` is a map in a map, `a[].b` a list of maps, `a.*.b` a map of names. A table is exempt from the
// size rule.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace gatepost::conf {

enum class Type {
    Section,        // a map with the keys below it
    List,           // a list of such maps
    Named,          // a map from names to such maps
    Text,           // any text without control characters
    Name,           // letters, digits, "-" and "_"; not empty
    Hostname,       // a domain name or an address literal in brackets
    Secret,         // text that is never shown
    File,           // a path; the file must exist and be readable
    SecretFile,     // the same, and it holds a secret (one line end behind it is taken off)
    Path,           // a path that need not exist yet
    Url,            // a redis url; a password in it is never shown
    Word,           // one of `words`
    Count,          // a whole number
    AutoCount,      // the same or "auto"
    Duration,       // 250ms 30s 5m 1h 1d
    DurationOrOff,  // the same or "off"
    Size,           // 64KiB 50MiB, 1MB, or octets
    Amount,         // a whole number; of bytes also a size
    Rate,           // 100/1h; of what is there at a time a number alone
    RateOrOff,      // the same or "off"
    Bool,           // true or false
    ListenAddress,  // a numeric address with a port, or "*:587"
    AddressOrOff,   // the same, or "" for off
    // Lists of values
    Words,
    Names,
    Texts,
    Networks,
    Servers,  // host:port, [v6]:port or unix:/path; at least one
    // Maps from names to values
    TextMap,
    RateMap,  // of rates as above
};

/// One row. The setters below make the table read as sentences.
struct Key {
    std::string_view path;
    Type type = Type::Text;
    std::string_view initial{};  ///< the default, in canonical text; lists as "[a, b]"
    std::string_view sentence{};
    std::int64_t min = 0;  ///< counts, sizes in octets, durations in milliseconds
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
    std::string_view words_list{};  ///< "a|b|c"; in the order of the enum in config.h
    /// "" = built; "*" = only its default and off-values; "a|b" = these words are not built
    std::string_view unbuilt{};
    std::string_view variant{};  ///< only in backends of this type
    bool is_reloadable = true;
    bool is_required = false;
    bool is_optional = false;  ///< has no value at all when it is not written

    constexpr Key range(std::int64_t least, std::int64_t most) const {
        Key key = *this;
        key.min = least;
        key.max = most;
        return key;
    }
    constexpr Key words(std::string_view list) const {
        Key key = *this;
        key.words_list = list;
        return key;
    }
    constexpr Key not_yet(std::string_view which = "*") const {
        Key key = *this;
        key.unbuilt = which;
        return key;
    }
    constexpr Key only_for(std::string_view backend_type) const {
        Key key = *this;
        key.variant = backend_type;
        return key;
    }
    constexpr Key restart() const {
        Key key = *this;
        key.is_reloadable = false;
        return key;
    }
    constexpr Key required() const {
        Key key = *this;
        key.is_required = true;
        return key;
    }
    constexpr Key optional() const {
        Key key = *this;
        key.is_optional = true;
        return key;
    }
    [[nodiscard]] constexpr bool is_secret() const {
        return type == Type::Secret || type == Type::SecretFile || type == Type::Url;
    }
};

namespace bounds {
inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kDay = 24 * 3600 * kSecond;
inline constexpr std::int64_t kShortest = 10;  // a deadline below ten milliseconds is a mistake
inline constexpr std::int64_t kMillion = 1'000'000;
}  // namespace bounds

inline constexpr std::string_view kMechanismWords =
    "SCRAM-SHA-512-PLUS|SCRAM-SHA-512|SCRAM-SHA-384-PLUS|SCRAM-SHA-384|SCRAM-SHA-256-PLUS|SCRAM-SHA-256|"
    "SCRAM-SHA-224-PLUS|SCRAM-SHA-224|SCRAM-SHA-1-PLUS|SCRAM-SHA-1|PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|EXTERNAL|"
    "OAUTHBEARER|XOAUTH2|NTLM|OTP|GSSAPI|GSS-SPNEGO|GS2-KRB5|GS2-IAKERB";
inline constexpr std::string_view kMechanismsUnbuilt =
    "SCRAM-SHA-384-PLUS|SCRAM-SHA-384|SCRAM-SHA-224-PLUS|SCRAM-SHA-224|OAUTHBEARER|XOAUTH2|OTP|GS2-KRB5|"
    "GS2-IAKERB";
inline constexpr std::string_view kMechanismsDefault = "[SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN]";

// clang-format off
inline constexpr Key kKeys[] = {
    {"hostname", Type::Hostname, "", "greeting, EHLO reply, Received; \"\" = this machine's fully qualified name"},
    Key{"run_as", Type::Text, "", "user[:group] after the ports are bound; \"\" = whoever started it"}.restart(),
    Key{"workers", Type::AutoCount, "auto", "reactor threads; auto = the CPUs this process may use (cgroup quota honoured)"}.range(1, 1024).restart(),

    Key{"listeners", Type::List, "", "where clients connect; at least one"}.required(),
    Key{"listeners[].name", Type::Name, "", "in logs, metrics, routes and limits; each once"}.required(),
    Key{"listeners[].address", Type::ListenAddress, "", "numeric, with the port; \"*:587\" (every address, IPv4 and IPv6), \"0.0.0.0:587\" or \"[::]:587\" (IPv6 only)"}.required(),
    Key{"listeners[].tls", Type::Word, "starttls", "how TLS begins on this port"}.words("none|starttls|implicit"),
    Key{"listeners[].require_tls", Type::Bool, "true", "starttls: AUTH and MAIL are refused before TLS, AUTH is not advertised; false with tls: none"},
    Key{"listeners[].require_auth", Type::Bool, "true", "MAIL before AUTH is 530; false where nobody needs to log in: only trusted_networks may send then"},
    {"listeners[].relay_for_anybody", Type::Bool, "false", "lets everybody send without AUTH to anywhere; an open relay"},
    {"listeners[].trusted_networks", Type::Networks, "[]", "CIDRs that may send without AUTH (printers, scanners)"},
    {"listeners[].proxy_protocol_from", Type::Networks, "[]", "CIDRs that must speak PROXY v1/v2 first and are believed; others are connected directly"},
    Key{"listeners[].max_connections", Type::Count, "10000", "connections at a time on this listener"}.range(1, bounds::kMillion),
    {"listeners[].tls_options", Type::Section, "", "for this listener alone (old devices, client certificates)"},
    Key{"listeners[].tls_options.min_version", Type::Word, "", "instead of tls.min_version"}.words("1.2|1.3").optional(),
    {"listeners[].tls_options.ciphers", Type::Text, "", "OpenSSL cipher list of TLS 1.2; \"\" = the built-in list"},
    Key{"listeners[].tls_options.client_ca", Type::File, "", "instead of tls.client_ca"},

    {"tls", Type::Section, "", "certificates and versions of the listeners"},
    {"tls.certificates", Type::List, "[]", "chosen by SNI; the first is the default; read at start; at least one if a listener has TLS"},
    Key{"tls.certificates[].certificate", Type::File, "", "PEM: the certificate and its chain"}.required(),
    Key{"tls.certificates[].key", Type::File, "", "PEM: its private key"}.required(),
    Key{"tls.min_version", Type::Word, "1.2", "the oldest TLS that is spoken"}.words("1.2|1.3"),
    Key{"tls.client_ca", Type::File, "", "PEM bundle; a client certificate that verifies enables AUTH EXTERNAL"},
    {"tls.ticket_keys", Type::File, "", "file of session-ticket keys shared by replicas, first encrypts, all decrypt; \"\" = per process"},
    Key{"tls.handshake_timeout", Type::Duration, "15s", "for the whole handshake"}.range(bounds::kShortest, bounds::kDay),

    {"session", Type::Section, "", "limits of one client connection"},
    Key{"session.greeting_delay", Type::Duration, "0s", "a client that talks before the greeting is refused (554)"}.range(0, 300 * bounds::kSecond).not_yet(),
    Key{"session.command_timeout", Type::Duration, "5m", "from the reply to one command to the end of the next"}.range(bounds::kShortest, bounds::kDay),
    Key{"session.auth_timeout", Type::Duration, "60s", "for each step of an AUTH exchange"}.range(bounds::kShortest, bounds::kDay),
    Key{"session.data_timeout", Type::Duration, "10m", "without one octet of message data"}.range(bounds::kShortest, bounds::kDay),
    Key{"session.max_message_size", Type::Size, "50MiB", "advertised as SIZE, enforced while streaming"}.range(1, 1LL << 40),
    Key{"session.max_recipients", Type::Count, "1000", "of one message; beyond it 452"}.range(1, bounds::kMillion),
    Key{"session.max_errors", Type::Count, "10", "bad commands before 421"}.range(1, bounds::kMillion),
    Key{"session.max_line_length", Type::Count, "2048", "octets of a command line; AUTH lines may be 12288 (RFC 4954)"}.range(512, 65536),
    Key{"session.bare_newline", Type::Word, "reject", "a bare CR or LF in message data; normalize = to CRLF"}.words("reject|normalize").not_yet("normalize"),

    {"auth", Type::Section, "", "who may send"},
    {"auth.backends", Type::Names, "[local]", "names below, asked in this order; the first that knows the user decides"},
    Key{"auth.mechanisms", Type::Words, kMechanismsDefault, "offered in this order, where a backend can serve them"}.words(kMechanismWords).not_yet(kMechanismsUnbuilt),
    {"auth.plaintext_without_tls", Type::Bool, "false", "allow PLAIN and LOGIN on an unencrypted connection"},
    {"auth.legacy_auth_line", Type::Bool, "false", "also send \"250-AUTH=PLAIN LOGIN\" for very old clients"},
    Key{"auth.max_attempts", Type::Count, "3", "failed exchanges on one connection before 421"}.range(1, 1000),
    Key{"auth.concurrency", Type::AutoCount, "auto", "threads for password hashing and blocking SASL calls"}.range(1, 1024),
    Key{"auth.queue", Type::Count, "1024", "exchanges waiting for them; beyond it 454 4.7.0"}.range(1, bounds::kMillion),
    Key{"auth.failure_delay", Type::Duration, "1s", "every failed AUTH is answered this long after its last line"}.range(0, 60 * bounds::kSecond),
    Key{"auth.scram_secret_file", Type::SecretFile, "", "key of the fake SCRAM salts for unknown users, shared by replicas; \"\" = per process"},
    Key{"auth.external_name", Type::Word, "email", "EXTERNAL: what of the certificate is the user"}.words("email|uri|cn"),
    Key{"auth.disabled_reply", Type::Word, "535", "the code for a disabled user"}.words("535|525"),
    {"auth.guessing", Type::Section, "", "failures only; networks are /24 and /64; each may be `off`"},
    Key{"auth.guessing.per_ip", Type::RateOrOff, "20/10m", "beyond it this address is refused"},
    Key{"auth.guessing.per_network", Type::RateOrOff, "100/10m", "beyond it this network is refused"},
    Key{"auth.guessing.per_user_and_network", Type::RateOrOff, "10/10m", "beyond it this user is refused from this network"},
    Key{"auth.guessing.per_user_delay", Type::DurationOrOff, "5s", "at most; guesses from elsewhere never lock a user out"}.range(0, 60 * bounds::kSecond),
    {"auth.cache", Type::Section, "", "verified PLAIN/LOGIN credentials, in memory, keyed hashes only, dropped when the record changes"},
    Key{"auth.cache.ttl", Type::Duration, "60s", "0s = off"}.range(0, 600 * bounds::kSecond),
    Key{"auth.cache.size", Type::Count, "10000", "entries"}.range(1, 100 * bounds::kMillion),

    {"backends", Type::Named, "", "where credentials live, by name"},
    Key{"backends.*.type", Type::Word, "", "the kind of store"}.words("file|redis|sasl").required(),
    Key{"backends.*.path", Type::File, "", "one user a line: name:record[:attribute=value ...]; re-read when it changes"}.required().only_for("file"),
    Key{"backends.*.url", Type::Url, "", "redis:// rediss:// unix://; sentinel: redis-sentinel://host:26379,host2:26379/master-name/0"}.required().only_for("redis"),
    Key{"backends.*.username", Type::Text, "", "of a Redis ACL user"}.only_for("redis"),
    Key{"backends.*.password", Type::Secret, "", "better in password_file, or as ${NAME}"}.only_for("redis"),
    Key{"backends.*.password_file", Type::SecretFile, "", "instead of password"}.only_for("redis"),
    Key{"backends.*.tls_ca", Type::File, "", "PEM bundle for rediss://; \"\" = the system's"}.only_for("redis"),
    Key{"backends.*.key", Type::Text, "gatepost:user:{user}", "a hash: record, scram-sha-256, senders, limit_class, upstream, disabled"}.only_for("redis"),
    Key{"backends.*.mechanisms", Type::Words, kMechanismsDefault, "what its records can serve"}.words(kMechanismWords).only_for("redis"),
    Key{"backends.*.timeout", Type::Duration, "2s", "for one answer; then 454"}.range(bounds::kShortest, bounds::kDay).only_for("redis"),
    Key{"backends.*.method", Type::Word, "saslauthd", "Cyrus SASL: its mechanisms and its password check"}.words("saslauthd|auxprop").only_for("sasl"),
    Key{"backends.*.auxprop_plugin", Type::Word, "sasldb", "where method: auxprop looks"}.words("sasldb|sql|ldapdb").only_for("sasl"),
    Key{"backends.*.options", Type::TextMap, "{}", "any other option of Cyrus SASL, by its own name, e.g. sasldb_path, saslauthd_path"}.only_for("sasl"),
    Key{"backends.*.realm", Type::Text, "", "for users who name none"}.only_for("sasl"),
    Key{"backends.*.mechanisms", Type::Words, "[PLAIN, LOGIN]", "what it can serve"}.words(kMechanismWords).only_for("sasl"),

    {"policy", Type::Section, "", "what an authenticated user may do"},
    Key{"policy.senders", Type::Word, "any", "own: MAIL FROM must match the user's name or its `senders` patterns, else 553 5.7.1"}.words("any|own"),
    {"policy.null_sender", Type::Bool, "true", "allow MAIL FROM:<>"},
    {"policy.recipients_allow", Type::Texts, "[]", "patterns; [] = all"},
    {"policy.recipients_deny", Type::Texts, "[]", "patterns"},
    {"policy.received_header", Type::Bool, "true", "add a Received: line (RFC 5321 4.4, \"with ESMTPSA\") to each message"},
    {"policy.user_in_received", Type::Bool, "false", "name the authenticated user there"},

    Key{"upstreams", Type::List, "", "where mail goes; at least one; the first is the default"}.required(),
    Key{"upstreams[].name", Type::Name, "", "in logs, metrics and routes; each once"}.required(),
    Key{"upstreams[].servers", Type::Servers, "", "also unix:/path; names are resolved again as their TTL ends; all addresses are used"}.required(),
    Key{"upstreams[].balance", Type::Word, "least_connections", "which server is next"}.words("least_connections|round_robin|first_healthy"),
    Key{"upstreams[].tls", Type::Word, "none", "required = STARTTLS or nothing"}.words("none|opportunistic|required|implicit"),
    Key{"upstreams[].tls_verify", Type::Bool, "true", "chain and name must verify (required, implicit)"},
    Key{"upstreams[].tls_ca", Type::File, "", "PEM bundle; \"\" = the system's"},
    {"upstreams[].tls_client", Type::Section, "", "the certificate that Gatepost shows the upstream"},
    Key{"upstreams[].tls_client.certificate", Type::File, "", "PEM: the certificate and its chain"},
    Key{"upstreams[].tls_client.key", Type::File, "", "PEM: its private key"},
    Key{"upstreams[].identity", Type::Word, "none", "how the upstream learns who is there"}.words("none|xclient|xclient_login|proxy_v2|proxy_v1"),
    Key{"upstreams[].source_address", Type::Text, "", "the local address of connections to the upstream; \"\" = the system's choice"},
    Key{"upstreams[].mail_auth", Type::Bool, "false", "send MAIL ... AUTH=<user> (RFC 4954) to the upstream"},
    Key{"upstreams[].username", Type::Text, "", "AUTH of Gatepost itself to the upstream, if it wants one"},
    Key{"upstreams[].password", Type::Secret, "", "better in password_file, or as ${NAME}"},
    Key{"upstreams[].password_file", Type::SecretFile, "", "instead of password"},
    Key{"upstreams[].connect_timeout", Type::Duration, "10s", "for all addresses together, to the end of EHLO"}.range(bounds::kShortest, bounds::kDay),
    Key{"upstreams[].reply_timeout", Type::Duration, "5m", "for one reply"}.range(bounds::kShortest, bounds::kDay),
    {"upstreams[].pool", Type::Section, "", "connections that are kept and used again; numbers are per server over all workers"},
    Key{"upstreams[].pool.max_connections", Type::Count, "100", "at a time"}.range(1, bounds::kMillion),
    Key{"upstreams[].pool.max_idle", Type::Count, "16", "kept for the next session"}.range(0, bounds::kMillion),
    Key{"upstreams[].pool.min_idle", Type::Count, "0", "opened ahead of need"}.range(0, bounds::kMillion),
    Key{"upstreams[].pool.idle_timeout", Type::Duration, "30s", "an idle one is closed after this"}.range(0, bounds::kDay),
    Key{"upstreams[].pool.max_messages", Type::Count, "100", "on one connection"}.range(1, bounds::kMillion),
    Key{"upstreams[].pool.max_age", Type::Duration, "10m", "of one connection"}.range(0, bounds::kDay),
    Key{"upstreams[].pool.wait_timeout", Type::Duration, "30s", "for a free connection; then 451"}.range(0, bounds::kDay),
    {"upstreams[].health", Type::Section, "", "the probe that also learns what each server can do"},
    Key{"upstreams[].health.interval", Type::Duration, "10s", "between probes"}.range(bounds::kShortest, bounds::kDay),
    Key{"upstreams[].health.timeout", Type::Duration, "5s", "of one probe"}.range(bounds::kShortest, bounds::kDay),
    Key{"upstreams[].health.rise", Type::Count, "2", "good probes until healthy again"}.range(1, 1000),
    Key{"upstreams[].health.fall", Type::Count, "3", "bad probes until unhealthy"}.range(1, 1000),
    Key{"routes", Type::List, "[]", "which upstream, by user, sender or listener; the first that matches; none = the first upstream"},
    {"routes[].user", Type::Text, "", "pattern; \"\" = all"},
    {"routes[].sender_domain", Type::Text, "", "pattern; \"\" = all"},
    {"routes[].listener", Type::Text, "", "name; \"\" = all"},
    Key{"routes[].upstream", Type::Name, "", "name of the upstream"}.required(),

    {"limits", Type::List, "[]", "all that match are applied"},
    Key{"limits[].name", Type::Name, "", "in logs, metrics and replies; each once"}.required(),
    Key{"limits[].count", Type::Word, "", "what is counted"}.words("connections|sessions|auth_attempts|auth_failures|messages|recipients|bytes").required(),
    Key{"limits[].per", Type::Word, "", "for each of what"}.words("ip|network|user|sender|sender_domain|recipient_domain|listener|upstream|all").required(),
    Key{"limits[].rate", Type::Rate, "", "how many in which time; bytes may be 50MiB/1h, sessions (at a time) 5"}.required(),
    Key{"limits[].burst", Type::Amount, "", "at once; not written = the rate's count"}.range(1, std::numeric_limits<std::int64_t>::max()).optional(),
    Key{"limits[].action", Type::Word, "", "defer (4xx), reject (5xx), close (421) or delay"}.words("defer|reject|close|delay").required(),
    {"limits[].classes", Type::RateMap, "{}", "other rates for users of these limit classes"},
    {"limits[].when", Type::Section, "", "only where all of these hold"},
    {"limits[].when.listener", Type::Text, "", "name; \"\" = all"},
    {"limits[].when.user", Type::Text, "", "pattern; \"\" = all"},
    {"limits[].when.class", Type::Text, "", "limit class; \"\" = all"},
    Key{"limits[].when.authenticated", Type::Bool, "", "after or before AUTH"}.optional(),
    Key{"limits[].when.trusted", Type::Bool, "", "in or outside the listener's trusted_networks"}.optional(),
    {"limits[].enforce", Type::Bool, "true", "false only counts"},
    Key{"limits[].ipv4_prefix", Type::Count, "24", "what a network is"}.range(1, 32),
    Key{"limits[].ipv6_prefix", Type::Count, "64", "what a network is"}.range(1, 128),
    {"limit_store", Type::Section, "", "where limits are counted"},
    Key{"limit_store.type", Type::Word, "memory", "redis: counts are shared by all replicas"}.words("memory|redis").restart(),
    Key{"limit_store.url", Type::Url, "", "of Redis, written as in backends"}.restart(),
    Key{"limit_store.username", Type::Text, "", "of a Redis ACL user"}.restart(),
    Key{"limit_store.password_file", Type::SecretFile, "", "instead of a password in the url"}.restart(),
    Key{"limit_store.tls_ca", Type::File, "", "PEM bundle for rediss://; \"\" = the system's"}.restart(),
    Key{"limit_store.when_unavailable", Type::Word, "local", "local = this replica's share, the limit divided by the replicas seen lately"}.words("local|allow|defer").restart(),
    Key{"limit_store.timeout", Type::Duration, "200ms", "for one answer"}.range(1, 60 * bounds::kSecond).restart(),

    {"admin", Type::Section, "", "how operators look in"},
    Key{"admin.socket", Type::Path, "", "unix socket of the commands that change things, e.g. /run/gatepost/admin.sock"}.restart(),
    Key{"admin.address", Type::AddressOrOff, "127.0.0.1:9587", "/metrics /livez /readyz /status; \"*:9587\" = every address, IPv4 and IPv6; \"\" = off"}.restart(),

    {"log", Type::Section, "", "to standard error"},
    Key{"log.level", Type::Word, "info", "the least that is logged"}.words("debug|info|warning|error"),
    Key{"log.format", Type::Word, "text", "how a line looks"}.words("text|json|logfmt"),

    {"drain", Type::Section, "", "how the process ends"},
    Key{"drain.delay", Type::Duration, "5s", "after SIGTERM: not ready, still accepting"}.range(0, bounds::kDay),
    Key{"drain.timeout", Type::Duration, "60s", "then: no new sessions, idle ones get 421, transactions finish"}.range(0, bounds::kDay),
};
// clang-format on

/// What the reference file writes where a key has no default, or shows another value than it: a concrete path
/// and its text.
struct Example {
    std::string_view path;
    std::string_view text;
};

inline constexpr Example kExamples[] = {
    {"listeners[0].name", "submission"},
    {"listeners[0].address", "0.0.0.0:587"},
    {"listeners[1].name", "submissions"},
    {"listeners[1].address", "0.0.0.0:465"},
    {"listeners[1].tls", "implicit"},
    {"tls.certificates[0].certificate", "/etc/gatepost/tls/tls.crt"},
    {"tls.certificates[0].key", "/etc/gatepost/tls/tls.key"},
    {"backends.local.type", "file"},
    {"backends.local.path", "/etc/gatepost/users"},
    {"backends.redis.type", "redis"},
    {"backends.redis.url", "redis://127.0.0.1:6379/0"},
    {"backends.pam.type", "sasl"},
    {"upstreams[0].name", "default"},
    {"upstreams[0].servers", "[\"mta.internal:25\"]"},
    {"routes[0]", "{user: \"*@example.org\", upstream: other}"},
    {"limits[0]", "{name: logins-per-ip, count: auth_failures, per: network, rate: 20/10m, action: close}"},
    {"limits[1]",
     "{name: user-messages, count: messages, per: user, rate: 500/1h, burst: 50, action: defer, classes: "
     "{bulk: "
     "20000/1h}}"},
    {"limits[2]",
     "{name: user-recipients, count: recipients, per: user, rate: 2000/1d, action: defer, when: {listener: "
     "submission}, enforce: false}"},
};

/// The row of a table path ("listeners[].tls") in backends of type `variant` ("" elsewhere); null when there
/// is none.
[[nodiscard]] const Key* find_key(std::string_view table_path, std::string_view variant = {});

/// The row of a concrete path ("listeners[0].tls"); null when there is none.
[[nodiscard]] const Key* find_key_of(std::string_view path, std::string_view variant = {});

/// True when `word` is one of "a|b|c"; `index` (if given) then says which.
[[nodiscard]] bool is_one_of(std::string_view words, std::string_view word, std::size_t* index = nullptr);

/// The part of `path` behind `parent` and its dot, when `path` is directly below it; else nothing ("").
/// leaf_below("listeners[].name", "listeners[]") is "name"; at the top `parent` is "".
[[nodiscard]] std::string_view leaf_below(std::string_view path, std::string_view parent);

}  // namespace gatepost::conf

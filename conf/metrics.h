// THE table of metrics: name, kind, labels, help, and every value that a label can have. proxy/observe counts
// by it and docs/metrics.md is generated from it. A user, an address or a domain is never a label: every
// label set is closed, so that all series exist, at zero, from the start. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace gatepost::conf {

// One line per closed label set: LIST(X) with X(enumerator, "text"). Gives the enum and, in `kNames<Type>`,
// its texts.
#define GATEPOST_ENUMERATOR(id, text) id,
#define GATEPOST_TEXT(id, text) text,
#define GATEPOST_LABEL_VALUES(Type, LIST)                                                          \
    enum class Type : std::uint8_t { LIST(GATEPOST_ENUMERATOR) };                                  \
    inline constexpr auto k##Type##Names = std::to_array<std::string_view>({LIST(GATEPOST_TEXT)}); \
    [[nodiscard]] constexpr std::string_view to_string(Type value) {                               \
        return k##Type##Names[static_cast<std::size_t>(value)];                                    \
    }

// clang-format off
#define GATEPOST_REJECT_REASONS(X) \
    X(kLimit, "limit") X(kProxyProtocol, "proxy_protocol") X(kTlsHandshakes, "tls_handshakes") \
    X(kDraining, "draining") X(kResources, "resources")
#define GATEPOST_CLOSE_REASONS(X) \
    X(kQuit, "quit") X(kClientEof, "client_eof") X(kClientReset, "client_reset") X(kCommandTimeout, "command_timeout") \
    X(kAuthTimeout, "auth_timeout") X(kDataTimeout, "data_timeout") X(kTlsError, "tls_error") X(kTlsTimeout, "tls_timeout") \
    X(kAuthLimit, "auth_limit") X(kErrorLimit, "error_limit") X(kRateLimit, "rate_limit") X(kProtocolError, "protocol_error") \
    X(kUpstreamError, "upstream_error") X(kBufferLimit, "buffer_limit") X(kProxyProtocol, "proxy_protocol") \
    X(kDrain, "drain") X(kKicked, "kicked") X(kInternalError, "internal_error")
#define GATEPOST_RELOAD_TRIGGERS(X) X(kSignal, "signal") X(kApi, "api") X(kFile, "file")
#define GATEPOST_LOAD_RESULTS(X) X(kOk, "ok") X(kFailed, "failed")
#define GATEPOST_SESSION_PHASES(X) \
    X(kGreeting, "greeting") X(kTls, "tls") X(kAuth, "auth") X(kIdle, "idle") X(kEnvelope, "envelope") X(kData, "data") \
    X(kRelay, "relay")
#define GATEPOST_PROXY_VERSIONS(X) X(kV1, "v1") X(kV2, "v2") X(kUnknown, "unknown")
#define GATEPOST_PROXY_RESULTS(X) X(kOk, "ok") X(kMissing, "missing") X(kMalformed, "malformed") X(kTimeout, "timeout")
#define GATEPOST_HANDSHAKE_MODES(X) X(kStarttls, "starttls") X(kImplicit, "implicit")
#define GATEPOST_TLS_PROTOCOLS(X) X(kTls12, "TLSv1.2") X(kTls13, "TLSv1.3") X(kOther, "other")
#define GATEPOST_TLS_FAILURES(X) \
    X(kNoSharedCipher, "no_shared_cipher") X(kUnsupportedVersion, "unsupported_version") X(kNotTls, "not_tls") \
    X(kClientCert, "client_cert") X(kRejected, "rejected_by_client") X(kTimeout, "timeout") X(kEof, "eof") X(kOther, "other")
#define GATEPOST_AUTH_RESULTS(X) \
    X(kSuccess, "success") X(kInvalidCredentials, "invalid_credentials") X(kDisabled, "disabled") \
    X(kNotAuthorized, "not_authorized") X(kBackendError, "backend_error") X(kBusy, "busy") X(kAborted, "aborted") \
    X(kMalformed, "malformed") X(kTlsRequired, "tls_required") X(kRefused, "refused") X(kBlocked, "blocked") \
    X(kTimedOut, "timed_out") X(kBackendTimeout, "backend_timeout") X(kDowngraded, "downgraded")
#define GATEPOST_AUTH_OUTCOMES(X) \
    X(kSuccess, "success") X(kInvalidCredentials, "invalid_credentials") X(kBackendError, "backend_error") X(kOther, "other")
#define GATEPOST_GUESSING_SCOPES(X) X(kIp, "ip") X(kNetwork, "network") X(kUserAndNetwork, "user_and_network")
#define GATEPOST_BLOCK_REASONS(X) X(kFailures, "failures")
#define GATEPOST_LIMIT_DECISIONS(X) \
    X(kAllow, "allow") X(kDelay, "delay") X(kDefer, "defer") X(kReject, "reject") X(kClose, "close") \
    X(kWouldRefuse, "would_refuse") X(kFailOpen, "fail_open") X(kUnavailable, "unavailable")
#define GATEPOST_POLICIES(X) \
    X(kSenderLogin, "sender_login") X(kNullSender, "null_sender") X(kRecipient, "recipient") X(kSize, "size") \
    X(kRecipientCount, "recipient_count")
#define GATEPOST_POLICY_DECISIONS(X) X(kReject, "reject") X(kDefer, "defer")
#define GATEPOST_CACHE_RESULTS(X) X(kHit, "hit") X(kMiss, "miss")
#define GATEPOST_BACKEND_RESULTS(X) X(kOk, "ok") X(kDenied, "denied") X(kError, "error") X(kTimeout, "timeout")
#define GATEPOST_VERBS(X) \
    X(kEhlo, "EHLO") X(kHelo, "HELO") X(kStarttls, "STARTTLS") X(kAuth, "AUTH") X(kMail, "MAIL") X(kRcpt, "RCPT") \
    X(kData, "DATA") X(kBdat, "BDAT") X(kRset, "RSET") X(kNoop, "NOOP") X(kVrfy, "VRFY") X(kExpn, "EXPN") \
    X(kHelp, "HELP") X(kQuit, "QUIT") X(kOther, "OTHER")
#define GATEPOST_REPLY_CLASSES(X) X(k2xx, "2xx") X(k3xx, "3xx") X(k4xx, "4xx") X(k5xx, "5xx")
#define GATEPOST_PROTOCOL_ERRORS(X) \
    X(kBareNewline, "bare_newline") X(kSmuggling, "smuggling") X(kLineTooLong, "line_too_long") \
    X(kBadSequence, "bad_sequence") X(kPipelining, "pipelining") X(kStarttlsInjection, "starttls_injection") \
    X(kSyntax, "syntax") X(kUnknownCommand, "unknown_command")
#define GATEPOST_MESSAGE_RESULTS(X) \
    X(kAccepted, "accepted") X(kTempfail, "tempfail") X(kPermfail, "permfail") X(kAborted, "aborted")
#define GATEPOST_RECIPIENT_RESULTS(X) X(kAccepted, "accepted") X(kTempfail, "tempfail") X(kPermfail, "permfail")
#define GATEPOST_ORIGINS(X) X(kGateway, "gateway") X(kUpstream, "upstream") X(kClient, "client") X(kPolicy, "policy")
#define GATEPOST_CONNECT_RESULTS(X) \
    X(kOk, "ok") X(kRefused, "refused") X(kUnreachable, "unreachable") X(kTimeout, "timeout") X(kDns, "dns") \
    X(kTls, "tls") X(kGreeting4xx, "greeting_4xx") X(kGreeting5xx, "greeting_5xx") X(kProtocol, "protocol") X(kLost, "lost") \
    X(kAuth, "auth") X(kIdentity, "identity")
#define GATEPOST_POOL_STATES(X) X(kActive, "active") X(kIdle, "idle") X(kOpening, "opening")
#define GATEPOST_ACQUIRE_RESULTS(X) X(kReused, "reused") X(kNew, "new") X(kTimeout, "timeout")
#define GATEPOST_HEALTH_RESULTS(X) X(kOk, "ok") X(kFailed, "failed")
#define GATEPOST_UPSTREAM_VERBS(X) \
    X(kGreeting, "GREETING") X(kEhlo, "EHLO") X(kHelo, "HELO") X(kStarttls, "STARTTLS") X(kMail, "MAIL") \
    X(kRcpt, "RCPT") X(kData, "DATA") X(kMessage, "MESSAGE") X(kBdat, "BDAT") X(kRset, "RSET") X(kNoop, "NOOP") \
    X(kQuit, "QUIT")
#define GATEPOST_UPSTREAM_COMMANDS(X) \
    X(kMail, "MAIL") X(kRcpt, "RCPT") X(kData, "DATA") X(kMessage, "MESSAGE") X(kBdat, "BDAT") X(kRset, "RSET")
#define GATEPOST_UPSTREAM_TLS_FAILURES(X) \
    X(kCertificate, "certificate") X(kNotOffered, "not_offered") X(kNoSharedCipher, "no_shared_cipher") \
    X(kUnsupportedVersion, "unsupported_version") X(kNotTls, "not_tls") X(kOther, "other")
#define GATEPOST_DNS_TYPES(X) X(kA, "A") X(kAaaa, "AAAA")
#define GATEPOST_DNS_RESULTS(X) X(kOk, "ok") X(kNotFound, "not_found") X(kFailed, "failed")
#define GATEPOST_UPSTREAM_REPLY_CLASSES(X) GATEPOST_REPLY_CLASSES(X) X(kInvalid, "invalid")
#define GATEPOST_LOG_LEVELS(X) X(kDebug, "debug") X(kInfo, "info") X(kWarning, "warning") X(kError, "error")
#define GATEPOST_LOG_SINKS(X) X(kStderr, "stderr")
#define GATEPOST_ADMIN_ROUTES(X) \
    X(kMetrics, "/metrics") X(kLivez, "/livez") X(kReadyz, "/readyz") \
    X(kStatus, "/status") X(kStatusJson, "/status.json") X(kOther, "other")
#define GATEPOST_CODE_CLASSES(X) X(k2xx, "2xx") X(k4xx, "4xx") X(k5xx, "5xx")
// clang-format on

GATEPOST_LABEL_VALUES(RejectReason, GATEPOST_REJECT_REASONS)
GATEPOST_LABEL_VALUES(CloseReason, GATEPOST_CLOSE_REASONS)
GATEPOST_LABEL_VALUES(ReloadTriggerLabel, GATEPOST_RELOAD_TRIGGERS)
GATEPOST_LABEL_VALUES(LoadResult, GATEPOST_LOAD_RESULTS)
GATEPOST_LABEL_VALUES(SessionPhase, GATEPOST_SESSION_PHASES)
GATEPOST_LABEL_VALUES(BlockReason, GATEPOST_BLOCK_REASONS)
GATEPOST_LABEL_VALUES(UpstreamCommand, GATEPOST_UPSTREAM_COMMANDS)
GATEPOST_LABEL_VALUES(UpstreamTlsFailure, GATEPOST_UPSTREAM_TLS_FAILURES)
GATEPOST_LABEL_VALUES(DnsType, GATEPOST_DNS_TYPES)
GATEPOST_LABEL_VALUES(DnsResult, GATEPOST_DNS_RESULTS)
GATEPOST_LABEL_VALUES(ProxyVersion, GATEPOST_PROXY_VERSIONS)
GATEPOST_LABEL_VALUES(ProxyResult, GATEPOST_PROXY_RESULTS)
GATEPOST_LABEL_VALUES(HandshakeMode, GATEPOST_HANDSHAKE_MODES)
GATEPOST_LABEL_VALUES(TlsProtocol, GATEPOST_TLS_PROTOCOLS)
GATEPOST_LABEL_VALUES(TlsFailure, GATEPOST_TLS_FAILURES)
GATEPOST_LABEL_VALUES(AuthResult, GATEPOST_AUTH_RESULTS)
GATEPOST_LABEL_VALUES(AuthOutcome, GATEPOST_AUTH_OUTCOMES)
GATEPOST_LABEL_VALUES(BackendResult, GATEPOST_BACKEND_RESULTS)
GATEPOST_LABEL_VALUES(GuessingScope, GATEPOST_GUESSING_SCOPES)
GATEPOST_LABEL_VALUES(LimitDecision, GATEPOST_LIMIT_DECISIONS)
GATEPOST_LABEL_VALUES(PolicyLabel, GATEPOST_POLICIES)
GATEPOST_LABEL_VALUES(PolicyDecision, GATEPOST_POLICY_DECISIONS)
GATEPOST_LABEL_VALUES(CacheResult, GATEPOST_CACHE_RESULTS)
GATEPOST_LABEL_VALUES(CommandVerb, GATEPOST_VERBS)
GATEPOST_LABEL_VALUES(ReplyClass, GATEPOST_REPLY_CLASSES)
GATEPOST_LABEL_VALUES(ProtocolError, GATEPOST_PROTOCOL_ERRORS)
GATEPOST_LABEL_VALUES(MessageResult, GATEPOST_MESSAGE_RESULTS)
GATEPOST_LABEL_VALUES(RecipientResult, GATEPOST_RECIPIENT_RESULTS)
GATEPOST_LABEL_VALUES(Origin, GATEPOST_ORIGINS)
GATEPOST_LABEL_VALUES(ConnectResult, GATEPOST_CONNECT_RESULTS)
GATEPOST_LABEL_VALUES(PoolState, GATEPOST_POOL_STATES)
GATEPOST_LABEL_VALUES(AcquireResult, GATEPOST_ACQUIRE_RESULTS)
GATEPOST_LABEL_VALUES(HealthResult, GATEPOST_HEALTH_RESULTS)
GATEPOST_LABEL_VALUES(UpstreamVerb, GATEPOST_UPSTREAM_VERBS)
GATEPOST_LABEL_VALUES(UpstreamReplyClass, GATEPOST_UPSTREAM_REPLY_CLASSES)
GATEPOST_LABEL_VALUES(LogLevelLabel, GATEPOST_LOG_LEVELS)
GATEPOST_LABEL_VALUES(LogSinkLabel, GATEPOST_LOG_SINKS)
GATEPOST_LABEL_VALUES(AdminRoute, GATEPOST_ADMIN_ROUTES)
GATEPOST_LABEL_VALUES(CodeClass, GATEPOST_CODE_CLASSES)

/// "2xx" of 250. Requires 200..599.
[[nodiscard]] constexpr ReplyClass reply_class_of(int code) {
    return static_cast<ReplyClass>(code / 100 - 2);
}
[[nodiscard]] constexpr UpstreamReplyClass upstream_reply_class_of(int code) {
    return code < 200 || code > 599 ? UpstreamReplyClass::kInvalid
                                    : static_cast<UpstreamReplyClass>(code / 100 - 2);
}
/// A histogram has many series, so it tells fewer results apart: as the client hears them.
[[nodiscard]] constexpr AuthOutcome auth_outcome_of(AuthResult result) {
    switch (result) {
        case AuthResult::kSuccess: return AuthOutcome::kSuccess;
        case AuthResult::kInvalidCredentials:
        case AuthResult::kDisabled:
        case AuthResult::kNotAuthorized:
        case AuthResult::kDowngraded: return AuthOutcome::kInvalidCredentials;
        case AuthResult::kBackendError:
        case AuthResult::kBackendTimeout:
        case AuthResult::kBusy: return AuthOutcome::kBackendError;
        case AuthResult::kAborted:
        case AuthResult::kMalformed:
        case AuthResult::kTlsRequired:
        case AuthResult::kRefused:
        case AuthResult::kBlocked:
        case AuthResult::kTimedOut: break;
    }
    return AuthOutcome::kOther;
}
/// Of the name that OpenSSL gives: "TLSv1.3".
[[nodiscard]] constexpr TlsProtocol tls_protocol_of(std::string_view name) {
    if (name == "TLSv1.3") return TlsProtocol::kTls13;
    return name == "TLSv1.2" ? TlsProtocol::kTls12 : TlsProtocol::kOther;
}

// What a series of a metric is told apart by. Most axes are one label; `endpoint` and `build` are several
// that go together. Axes without values here are named at start, from the configuration. X(axis, values,
// labels…)
// clang-format off
#define GATEPOST_AXES(X) \
    X(listener,             {},                       "listener") \
    X(mechanism,            {},                       "mechanism") \
    X(backend,              {},                       "backend") \
    X(configured_backend,   {},                       "backend") \
    X(upstream,             {},                       "upstream") \
    X(endpoint,             {},                       "upstream", "endpoint") \
    X(certificate,          {},                       "certificate") \
    X(limit,                {},                       "limit") \
    X(limit_store,          {},                       "store") \
    X(worker,               {},                       "worker") \
    X(build,                {},                       "version", "revision", "tls_library") \
    X(config,               {},                       "hash") \
    X(reject_reason,        kRejectReasonNames,       "reason") \
    X(close_reason,         kCloseReasonNames,        "reason") \
    X(reload_trigger,       kReloadTriggerLabelNames, "trigger") \
    X(load_result,          kLoadResultNames,         "result") \
    X(session_phase,        kSessionPhaseNames,       "phase") \
    X(block_reason,         kBlockReasonNames,        "reason") \
    X(upstream_command,     kUpstreamCommandNames,    "verb") \
    X(upstream_tls_failure, kUpstreamTlsFailureNames, "reason") \
    X(dns_type,             kDnsTypeNames,            "type") \
    X(dns_result,           kDnsResultNames,          "result") \
    X(proxy_version,        kProxyVersionNames,       "version") \
    X(proxy_result,         kProxyResultNames,        "result") \
    X(handshake_mode,       kHandshakeModeNames,      "mode") \
    X(tls_protocol,         kTlsProtocolNames,        "version") \
    X(tls_failure,          kTlsFailureNames,         "reason") \
    X(auth_result,          kAuthResultNames,         "result") \
    X(auth_outcome,         kAuthOutcomeNames,        "result") \
    X(backend_result,       kBackendResultNames,      "result") \
    X(guessing_scope,       kGuessingScopeNames,      "scope") \
    X(cache_result,         kCacheResultNames,        "result") \
    X(limit_decision,       kLimitDecisionNames,      "decision") \
    X(policy_name,          kPolicyLabelNames,        "policy") \
    X(policy_decision,      kPolicyDecisionNames,     "decision") \
    X(command_verb,         kCommandVerbNames,        "verb") \
    X(reply_class,          kReplyClassNames,         "reply_class") \
    X(protocol_error,       kProtocolErrorNames,      "reason") \
    X(message_result,       kMessageResultNames,      "result") \
    X(recipient_result,     kRecipientResultNames,    "result") \
    X(origin,               kOriginNames,             "origin") \
    X(connect_result,       kConnectResultNames,      "result") \
    X(pool_state,           kPoolStateNames,          "state") \
    X(acquire_result,       kAcquireResultNames,      "result") \
    X(health_result,        kHealthResultNames,       "result") \
    X(upstream_verb,        kUpstreamVerbNames,       "verb") \
    X(upstream_reply_class, kUpstreamReplyClassNames, "reply_class") \
    X(log_level,            kLogLevelLabelNames,      "level") \
    X(log_sink,             kLogSinkLabelNames,       "sink") \
    X(admin_route,          kAdminRouteNames,         "route") \
    X(code_class,           kCodeClassNames,          "code_class")
// clang-format on

enum class Axis : std::uint8_t {
#define X(id, values, ...) id,
    GATEPOST_AXES(X)
#undef X
};

template <typename T, std::size_t N>
struct FewOf {
    std::array<T, N> items{};
    std::size_t count = 0;

    template <typename... Items>
    // NOLINTNEXTLINE(google-explicit-constructor): reads as a plain list in the tables
    constexpr FewOf(Items... given) : items{given...}, count(sizeof...(given)) {}
    [[nodiscard]] constexpr const T* begin() const { return items.data(); }
    [[nodiscard]] constexpr const T* end() const { return items.data() + count; }
    [[nodiscard]] constexpr std::size_t size() const { return count; }
};

struct AxisRow {
    std::span<const std::string_view> values;  ///< empty: named at start
    FewOf<std::string_view, 3> labels;
};

inline constexpr auto kAxes = std::to_array<AxisRow>({
#define X(id, values, ...) {values, {__VA_ARGS__}},
    GATEPOST_AXES(X)
#undef X
});

enum class MetricKind : std::uint8_t {
    kCounter,    ///< each worker counts, a scrape adds up
    kLive,       ///< a gauge of what is there now: each worker adds and takes away, a scrape adds up
    kHistogram,  ///< as kCounter, by buckets
    kGauge,      ///< one value for the process, set by whoever knows it
    kSampled,    ///< a gauge that is read from where it is known during the scrape: the operating system,
                 ///< mostly
    kSampledCounter,
};

inline constexpr auto kLatencyBuckets =
    std::to_array<double>({.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120});
/// Of what has many series: fewer.
inline constexpr auto kFewLatencyBuckets = std::to_array<double>({.001, .005, .025, .1, .5, 2.5, 10, 60});
inline constexpr auto kAuthBuckets = std::to_array<double>({.005, .025, .1, .5, 1, 2.5, 10, 30});
inline constexpr auto kOverheadBuckets = std::to_array<double>(
    {.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1});
inline constexpr auto kLifetimeBuckets = std::to_array<double>({.1, 1, 5, 15, 60, 300, 900, 3600});
inline constexpr auto kRecipientBuckets = std::to_array<double>({1, 2, 5, 10, 25, 50, 100, 250, 1000});
inline constexpr auto kSizeBuckets = std::to_array<double>(
    {1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864, 268435456});
inline constexpr std::span<const double> kNoBuckets{};

// X(name without prefix, kind, buckets, axes, help). Names starting with process_ have no prefix, all others
// "gatepost_".
// clang-format off
#define GATEPOST_METRICS(X) \
    X(build_info, kGauge, kNoBuckets, (Axis::build), \
      "Constant 1, labelled with what this binary was built from.") \
    X(ready, kGauge, kNoBuckets, (), "1 if new sessions are served: what /readyz answers.") \
    X(draining, kGauge, kNoBuckets, (), "1 while the process is shutting down.") \
    X(config_last_reload_successful, kGauge, kNoBuckets, (), "1 if the last attempt to load the configuration succeeded.") \
    X(config_last_reload_success_timestamp_seconds, kGauge, kNoBuckets, (), \
      "When the configuration was last loaded successfully, in seconds since the epoch.") \
    X(config_info, kGauge, kNoBuckets, (Axis::config), "Constant 1, labelled with the hash of the configuration that is served.") \
    X(config_reloads_total, kCounter, kNoBuckets, (Axis::reload_trigger, Axis::load_result), \
      "Attempts to read the configuration again, by what asked for it; failed ones changed nothing.") \
    X(connections_accepted_total, kCounter, kNoBuckets, (Axis::listener), "Client connections that were accepted.") \
    X(connections_rejected_total, kCounter, kNoBuckets, (Axis::listener, Axis::reject_reason), \
      "Client connections that were closed before their session began.") \
    X(connections_closed_total, kCounter, kNoBuckets, (Axis::listener, Axis::close_reason), \
      "Client connections that ended, by what ended them.") \
    X(connections_active, kLive, kNoBuckets, (Axis::listener), "Client connections now.") \
    X(connections_limit, kGauge, kNoBuckets, (Axis::listener), "Configured maximum of client connections.") \
    X(connection_duration_seconds, kHistogram, kLifetimeBuckets, (Axis::listener), \
      "From a client's connection to its end.") \
    X(sessions_active, kLive, kNoBuckets, (Axis::listener, Axis::session_phase), \
      "Client connections now, by what they are at: greeting until the first command, tls in a handshake, relay while " \
      "the upstream's answer to a complete message is awaited; waiting for a limit belongs to the phase it interrupts.") \
    X(received_bytes_total, kCounter, kNoBuckets, (Axis::listener), "Octets of SMTP received from clients, without TLS.") \
    X(sent_bytes_total, kCounter, kNoBuckets, (Axis::listener), "Octets of SMTP sent to clients, without TLS.") \
    X(proxy_protocol_headers_total, kCounter, kNoBuckets, (Axis::listener, Axis::proxy_version, Axis::proxy_result), \
      "PROXY protocol headers required of peers in proxy_protocol_from.") \
    X(tls_handshakes_total, kCounter, kNoBuckets, (Axis::listener, Axis::handshake_mode, Axis::tls_protocol), \
      "TLS handshakes with clients that completed.") \
    X(tls_sessions_resumed_total, kCounter, kNoBuckets, (Axis::listener), \
      "TLS handshakes with clients that resumed an earlier session.") \
    X(tls_handshake_failures_total, kCounter, kNoBuckets, (Axis::listener, Axis::handshake_mode, Axis::tls_failure), \
      "TLS handshakes with clients that failed. A server name (SNI) that no certificate is for is no failure: the first certificate answers.") \
    X(tls_handshake_duration_seconds, kHistogram, kFewLatencyBuckets, (Axis::listener), \
      "TLS handshakes with clients that completed, from STARTTLS or the connection on.") \
    X(tls_certificate_loads_total, kCounter, kNoBuckets, (Axis::certificate, Axis::load_result), \
      "Times that a certificate was read, the start included; a failed one leaves the old one in use.") \
    X(tls_certificate_not_after_timestamp_seconds, kGauge, kNoBuckets, (Axis::certificate), \
      "Expiry of each loaded certificate, in seconds since the epoch.") \
    X(auth_attempts_total, kCounter, kNoBuckets, (Axis::listener, Axis::mechanism, Axis::backend, Axis::auth_result), \
      "AUTH commands by outcome; backend is none where none was asked.") \
    X(auth_duration_seconds, kHistogram, kAuthBuckets, (Axis::backend, Axis::auth_outcome), \
      "From the AUTH command to its last reply, the configured failure delay included; invalid_credentials is all that is " \
      "answered 535, backend_error all that is not because of the user.") \
    X(auth_cache_lookups_total, kCounter, kNoBuckets, (Axis::configured_backend, Axis::cache_result), \
      "Passwords looked for among those that were right a moment ago; a hit asks nobody and hashes nothing.") \
    X(auth_cache_entries, kGauge, kNoBuckets, (Axis::configured_backend), \
      "Passwords remembered now, those included whose time is over and that nobody has asked for since.") \
    X(auth_backend_requests_total, kCounter, kNoBuckets, (Axis::configured_backend, Axis::backend_result), \
      "Questions to credential backends; denied is an unknown user or, where the backend judges passwords itself, a refused one.") \
    X(auth_backend_request_duration_seconds, kHistogram, kLatencyBuckets, (Axis::configured_backend), \
      "From a question to a credential backend to its answer, hashing not included.") \
    X(auth_backend_connections, kLive, kNoBuckets, (Axis::configured_backend, Axis::pool_state), \
      "Connections to credential backends now, where they are kept (Redis: one a worker): active while an answer is awaited, " \
      "opening also while a server is looked for. Between attempts to connect there is none.") \
    X(auth_backend_up, kGauge, kNoBuckets, (Axis::configured_backend), \
      "0 while a credential backend could not be reached or did not answer when it was asked last; 1 also before it is asked.") \
    X(auth_blocks_total, kCounter, kNoBuckets, (Axis::guessing_scope, Axis::block_reason), \
      "Failures after which an address, network or user of a network was asked to wait (auth.guessing): blocks begun, not attempts refused.") \
    X(auth_blocks_active, kSampled, kNoBuckets, (Axis::guessing_scope), \
      "Blocks now, as far as this process knows: those that it saw begin, and those by which it refused an attempt. With limit_store: redis " \
      "other replicas may know of more, and of the same; one that was lifted elsewhere counts until it would have ended. At most 65,536.") \
    X(auth_blocked_attempts_total, kCounter, kNoBuckets, (Axis::guessing_scope), \
      "AUTH exchanges refused before any password was looked at, by whose failures were too many (auth.guessing).") \
    X(auth_delayed_attempts_total, kCounter, kNoBuckets, (), \
      "AUTH exchanges that waited because of the user's failures from everywhere (auth.guessing.per_user_delay).") \
    X(rate_limit_decisions_total, kCounter, kNoBuckets, (Axis::limit, Axis::limit_decision), \
      "What each rule under limits decided, once a question; would_refuse is of rules with enforce: false, fail_open and " \
      "unavailable are for while the store of limits is away.") \
    X(policy_decisions_total, kCounter, kNoBuckets, (Axis::policy_name, Axis::policy_decision), \
      "Commands and messages that Gatepost itself refused, by which policy.") \
    X(rate_limit_store_up, kGauge, kNoBuckets, (Axis::limit_store), \
      "1 if the store of limits counts; 0 while some worker's limits are counted by this process alone, or as limit_store.when_unavailable says.") \
    X(rate_limit_store_errors_total, kCounter, kNoBuckets, (Axis::limit_store), \
      "Batches of questions that the store of limits did not answer in time, or not well.") \
    X(rate_limit_store_request_duration_seconds, kHistogram, kLatencyBuckets, (Axis::limit_store), \
      "From a batch of questions to the answer of a store of limits outside this process.") \
    X(rate_limit_replicas, kGauge, kNoBuckets, (), \
      "Replicas that share the store of limits and were seen lately, this one included; 1 without a shared store.") \
    X(smtp_commands_total, kCounter, kNoBuckets, (Axis::listener, Axis::command_verb, Axis::reply_class), \
      "Commands of clients by the class of the reply; DATA counts its 354 and its last reply.") \
    X(smtp_command_duration_seconds, kHistogram, kFewLatencyBuckets, (Axis::command_verb), \
      "From the last octet of a command (AUTH's further lines, a chunk and message data included) to its reply; " \
      "what upstream, backend and limits take is in it, waiting for the client is not.") \
    X(smtp_protocol_errors_total, kCounter, kNoBuckets, (Axis::listener, Axis::protocol_error), \
      "Breaches of the protocol by clients.") \
    X(messages_total, kCounter, kNoBuckets, (Axis::listener, Axis::upstream, Axis::message_result, Axis::origin), \
      "Mail transactions that ended; origin says whose answer or fault the result is: policy is what a rule that the operator " \
      "wrote decided (a limit, a size, the recipients), gateway is Gatepost's own.") \
    X(recipients_total, kCounter, kNoBuckets, (Axis::upstream, Axis::recipient_result, Axis::origin), \
      "RCPT commands by outcome; origin as for messages.") \
    X(message_bytes_total, kCounter, kNoBuckets, (Axis::upstream, Axis::message_result), \
      "Octets of message data sent to upstream servers, by what became of the mail transaction.") \
    X(message_recipients, kHistogram, kRecipientBuckets, (Axis::upstream), "Recipients of accepted messages.") \
    X(message_size_bytes, kHistogram, kSizeBuckets, (Axis::upstream), "Size of accepted messages.") \
    X(message_duration_seconds, kHistogram, kLatencyBuckets, (Axis::upstream, Axis::message_result), \
      "From MAIL to the last reply of a mail transaction.") \
    X(message_overhead_seconds, kHistogram, kOverheadBuckets, (Axis::upstream), \
      "What Gatepost itself adds to an accepted message: from MAIL to the last reply, without the time in which only the " \
      "client or the upstream could go on. Its own work, limits (their delays too) and the wait for an upstream connection " \
      "are in it.") \
    X(upstream_up, kGauge, kNoBuckets, (Axis::endpoint), "1 if the upstream server passes its health checks.") \
    X(upstream_health_checks_total, kCounter, kNoBuckets, (Axis::endpoint, Axis::health_result), \
      "Health checks of upstream servers.") \
    X(upstream_connects_total, kCounter, kNoBuckets, (Axis::endpoint, Axis::connect_result), \
      "Connections to upstream servers, up to their greeting and EHLO.") \
    X(upstream_connect_duration_seconds, kHistogram, kLatencyBuckets, (Axis::upstream), \
      "From connecting to an upstream server to where mail can be sent, where that succeeded.") \
    X(upstream_tls_handshakes_total, kCounter, kNoBuckets, (Axis::upstream, Axis::tls_protocol), \
      "Completed TLS handshakes with upstream servers, probes not counted.") \
    X(upstream_tls_handshake_failures_total, kCounter, kNoBuckets, (Axis::upstream, Axis::upstream_tls_failure), \
      "TLS with upstream servers that failed, probes not counted; not_offered is a STARTTLS that is required and not to be had.") \
    X(upstream_connections, kGauge, kNoBuckets, (Axis::endpoint, Axis::pool_state), \
      "Connections to upstream servers: held by a session, waiting for one, or being opened.") \
    X(upstream_connections_limit, kGauge, kNoBuckets, (Axis::upstream), \
      "Configured maximum of connections to one server (an address) of the upstream.") \
    X(upstream_pool_waiting, kLive, kNoBuckets, (Axis::upstream), \
      "Sessions that wait for an upstream connection to become free.") \
    X(upstream_pool_acquires_total, kCounter, kNoBuckets, (Axis::upstream, Axis::acquire_result), \
      "Upstream connections that transactions asked for: used before or opened in advance, new, or none free in time.") \
    X(upstream_pool_wait_seconds, kHistogram, kLatencyBuckets, (Axis::upstream), \
      "How long those sessions waited.") \
    X(upstream_replaced_total, kCounter, kNoBuckets, (Axis::upstream), \
      "Used connections that proved stale before anything was accepted on them, and were replaced unnoticed.") \
    X(upstream_replies_total, kCounter, kNoBuckets, (Axis::upstream, Axis::upstream_verb, Axis::upstream_reply_class), \
      "Replies of upstream servers; MESSAGE is the answer to the end of data, invalid what is no SMTP reply.") \
    X(upstream_reply_duration_seconds, kHistogram, kFewLatencyBuckets, (Axis::upstream, Axis::upstream_command), \
      "From a command to the upstream's reply; MESSAGE is from the end of data, BDAT from its command, its octets included.") \
    X(upstream_sent_bytes_total, kCounter, kNoBuckets, (Axis::upstream), \
      "Octets of SMTP sent to upstream servers in mail transactions, without TLS; opening and probing connections is not counted.") \
    X(dns_lookups_total, kCounter, kNoBuckets, (Axis::dns_type, Axis::dns_result), \
      "Questions to the DNS; not_found is a name that does not exist or has no such address.") \
    X(dns_lookup_duration_seconds, kHistogram, kFewLatencyBuckets, (Axis::dns_type), "From such a question to its answer.") \
    X(worker_busy_seconds_total, kCounter, kNoBuckets, (Axis::worker), \
      "Time in which a worker's event loop worked instead of waiting for events.") \
    X(worker_loop_lag_seconds, kHistogram, kFewLatencyBuckets, (), \
      "How late the workers' event loops run what is due, measured by a timer of each.") \
    X(buffers_in_use_bytes, kLive, kNoBuckets, (), \
      "Octets that wait in buffers of connections: read and not yet used, or to be sent.") \
    X(drain_transactions_cut_total, kCounter, kNoBuckets, (), \
      "Mail transactions that Gatepost ended because the time to drain was over or it was told to end at once.") \
    X(log_messages_total, kSampledCounter, kNoBuckets, (Axis::log_level), "Log lines, those that were dropped included.") \
    X(log_dropped_total, kSampledCounter, kNoBuckets, (Axis::log_sink), \
      "Log lines lost because the reader of the log was too slow or gone.") \
    X(admin_requests_total, kCounter, kNoBuckets, (Axis::admin_route, Axis::code_class), "Requests to the admin HTTP server.") \
    X(process_cpu_seconds_total, kSampledCounter, kNoBuckets, (), "User and system CPU time of the process in seconds.") \
    X(process_open_fds, kSampled, kNoBuckets, (), "Open file descriptors.") \
    X(process_max_fds, kSampled, kNoBuckets, (), "Maximum number of open file descriptors.") \
    X(process_resident_memory_bytes, kSampled, kNoBuckets, (), "Resident memory size in bytes.") \
    X(process_virtual_memory_bytes, kSampled, kNoBuckets, (), "Virtual memory size in bytes.") \
    X(process_start_time_seconds, kSampled, kNoBuckets, (), "Start of the process, in seconds since the epoch.") \
    X(process_threads, kSampled, kNoBuckets, (), "Threads of the process.")
// clang-format on

/// Enumerators are spelled like the metrics, so that one search finds both.
enum class Metric : std::uint8_t {
#define X(id, ...) id,
    GATEPOST_METRICS(X)
#undef X
};

inline constexpr std::size_t kMostAxes = 4;

struct MetricRow {
    std::string_view name;
    MetricKind kind;
    std::span<const double> buckets;  ///< upper bounds, without +Inf; for kHistogram
    FewOf<Axis, kMostAxes> axes;
    std::string_view help;
};

#define GATEPOST_UNWRAP(...) __VA_ARGS__
inline constexpr auto kMetrics = std::to_array<MetricRow>({
#define X(id, kind, buckets, axes, help) {#id, MetricKind::kind, buckets, {GATEPOST_UNWRAP axes}, help},
    GATEPOST_METRICS(X)
#undef X
});

[[nodiscard]] constexpr const MetricRow& row_of(Metric metric) {
    return kMetrics[static_cast<std::size_t>(metric)];
}
[[nodiscard]] constexpr const AxisRow& row_of(Axis axis) {
    return kAxes[static_cast<std::size_t>(axis)];
}

/// Its cells hold nanoseconds, or of a histogram its sum does; shown are seconds.
[[nodiscard]] constexpr bool is_in_seconds(const MetricRow& row) {
    return row.name.ends_with("_seconds") || row.name.ends_with("_seconds_total");
}

/// Of the process, not of the configuration: a reload does not set it anew.
[[nodiscard]] constexpr bool is_of_process(Metric metric) {
    return metric == Metric::ready || metric == Metric::draining ||
           metric == Metric::config_last_reload_successful ||
           metric == Metric::config_last_reload_success_timestamp_seconds;
}

/// "gatepost_", or nothing for the names that every Prometheus client shares.
[[nodiscard]] constexpr std::string_view prefix_of(std::string_view name) {
    return name.starts_with("process_") ? "" : "gatepost_";
}

}  // namespace gatepost::conf

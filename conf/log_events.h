// THE table of log lines: every event, how grave it is by itself, and the fields it may carry. Scripts and
// fail2ban filters rely on the names: change them only by adding; a field that is not text is named in
// kind_of() too. Never a field for a password, a token or a line of an AUTH exchange.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "conf/config.h"

namespace gatepost::conf {

// X(key, meaning). Durations are printed in seconds, sizes in octets.
// clang-format off
#define GATEPOST_LOG_FIELDS(X) \
    X(session,        "id of the client connection; all lines of one session share it") \
    X(listener,       "name of the listener") \
    X(address,        "the address listened on, or which of the addresses of a server's name") \
    X(client_ip,      "address of the client, as the PROXY header says where one is believed") \
    X(client_port,    "port of the client") \
    X(peer_ip,        "address of the peer in front of the client (a load balancer)") \
    X(helo,           "name that the client gave in EHLO or HELO") \
    X(tls,            "TLS version of the client connection; none without TLS") \
    X(cipher,         "cipher of the client connection") \
    X(resumed,        "whether the TLS session was resumed") \
    X(mode,           "starttls or implicit") \
    X(user,           "user name as far as the client named one") \
    X(mechanism,      "SASL mechanism") \
    X(backend,        "credential backend that answered") \
    X(source,         "what the login rests on: store or cache (a password that was right a moment ago)") \
    X(reason,         "why, as one of a few words") \
    X(message,        "number of the message in its session, from 1") \
    X(from,           "reverse path of MAIL") \
    X(to,             "forward path of RCPT") \
    X(recipients,     "recipients that were accepted") \
    X(recipients_refused, "recipients that were refused") \
    X(size,           "octets of the message as sent upstream") \
    X(result,         "accepted, tempfail, permfail or aborted") \
    X(origin,         "whose answer or fault the result is: gateway, upstream, client or policy") \
    X(reply,          "the reply that the client got or would have got, without the session id") \
    X(code,           "reply code") \
    X(duration,       "seconds that it took") \
    X(time_tls,       "seconds of it for the TLS handshake") \
    X(time_auth,      "seconds of it in AUTH, refused ones and the delay behind them included") \
    X(time_messages,  "seconds of it in mail transactions; the rest the client was idle or sent other commands") \
    X(time_wait,      "seconds of it until a connection to the upstream was there, waiting for limits included") \
    X(time_envelope,  "seconds of it from there to the beginning of the data: MAIL, RCPT and DATA of the client and the answers of the upstream") \
    X(time_data,      "seconds of it for the client to send the data") \
    X(time_answer,    "seconds of it from the end of the data to the final answer of the upstream") \
    X(retry_after,    "seconds until it is allowed again; absent where that is never") \
    X(limit,          "name of the limit") \
    X(key,            "what the limit was counted under, as gatepost limits shows it") \
    X(action,         "what a limit does: delay, defer, reject or close") \
    X(trigger,        "what asked for it: signal, api or file") \
    X(hash,           "digest of the settings that are served, as gatepost status shows it") \
    X(share,          "one of how many replicas this one takes itself for, where each counts alone") \
    X(upstream,       "name of the upstream") \
    X(endpoint,       "server of the upstream or of the backend") \
    X(messages,       "messages accepted in the session") \
    X(commands,       "commands of the session") \
    X(errors,         "commands of the session that were refused") \
    X(received,       "octets received from the client") \
    X(sent,           "octets sent to the client") \
    X(file,           "path of a file") \
    X(users,          "users in a credential file") \
    X(listeners,      "how many listeners") \
    X(workers,        "how many worker threads") \
    X(sessions,       "sessions still open") \
    X(lines,          "how many log lines") \
    X(signal,         "name of a signal") \
    X(version,        "version of Gatepost") \
    X(pid,            "process id") \
    X(expires,        "when a certificate expires") \
    X(capabilities,   "EHLO keywords") \
    X(uid,            "user id of who asked at the admin socket") \
    X(what,           "a sentence for the operator")
// clang-format on

/// Enumerators are spelled like the keys, so that one search finds both.
enum class LogField : std::uint8_t {
#define X(key, meaning) key,
    GATEPOST_LOG_FIELDS(X)
#undef X
};

/// What its values are. One field has one kind, so that whoever stores lines in columns can.
enum class LogFieldKind : std::uint8_t { kText, kNumber, kSeconds, kTruth };

struct LogFieldRow {
    std::string_view key;
    std::string_view meaning;
};
inline constexpr auto kLogFields = std::to_array<LogFieldRow>({
#define X(key, meaning) {#key, meaning},
    GATEPOST_LOG_FIELDS(X)
#undef X
});

// X(event, level, (fields), meaning). The level is whose fault it is: a client's ways are info, what an
// operator should look at is a warning, what stops mail is an error.
// clang-format off
#define GATEPOST_LOG_EVENTS(X) \
    X(start, Info, (version, pid, workers, listeners), "the process serves") \
    X(stop, Info, (reason, signal, sessions, duration), "the process ends") \
    X(signal, Info, (signal, what), "a signal was taken") \
    X(config, Info, (file, listeners, what), "the configuration was loaded") \
    X(config_refused, Error, (file, what), "a configuration was refused; nothing changed") \
    X(config_note, Warning, (file, what), "the configuration is served, but an operator should know this of it") \
    X(reload, Info, (trigger, file, hash, duration, what), "a reload succeeded: what is served now is the new configuration") \
    X(reload_failed, Error, (trigger, file, hash, duration, what), \
      "a reload failed and changed nothing: the hash is of what is still served") \
    X(drain, Info, (trigger, signal, sessions, what), "a step of the drain: nobody new is served") \
    X(drained, Info, (sessions, duration, what), "the drain is over; sessions are those that were cut") \
    X(listener, Info, (listener, address, mode), "a listener is open") \
    X(listener_failed, Error, (listener, address, what), "a listener could not be opened") \
    X(privileges, Info, (user), "the process gave up its rights, as run_as says") \
    X(privileges_failed, Error, (what), "the process could not give up its rights, and ends") \
    X(accept_failed, Warning, (listener, what), "a connection could not be taken over") \
    X(admin, Info, (address), "the admin HTTP server or socket is open") \
    X(admin_command, Info, (uid, what), "an operator changed something over the admin socket") \
    X(kicked, Info, (sessions, what), "an operator ended sessions; the line of each says reason=kicked") \
    X(admin_refused, Warning, (address, what), "somebody who may not, or too many at once, asked at the admin socket") \
    X(certificate, Info, (file, expires, what), "a certificate was loaded") \
    X(certificate_expiring, Warning, (file, expires), "a certificate expires soon or has expired") \
    X(backend, Info, (backend, file, users, what), "a credential backend was loaded") \
    X(backend_failed, Error, (backend, file, what), "a credential backend cannot answer") \
    X(backend_up, Info, (backend, endpoint), "a connection to a credential backend stands") \
    X(backend_down, Warning, (backend, endpoint, what), "a credential backend cannot be reached; it is tried again") \
    X(backend_breaker, Warning, (backend, reason, what), \
      "a credential backend failed too often and is not asked for a while (open), or is asked again (closed)") \
    X(backend_stuck, Warning, (backend, what), \
      "look-ups of a credential backend outlive their deadline, and their threads are lost until they return") \
    X(limit_store_away, Warning, (what, reason, share), \
      "the store of limits does not count, and what limit_store.when_unavailable says is done instead") \
    X(limit_store_back, Info, (what), "the store of limits counts again") \
    X(connection_rejected, Info, (listener, client_ip, client_port, peer_ip, reason), \
      "a connection was closed before its session began") \
    X(proxy_header_bad, Warning, (listener, peer_ip, reason), "a peer that must speak the PROXY protocol did not") \
    X(tls_failed, Info, (session, listener, client_ip, mode, reason, what), "a TLS handshake with a client failed") \
    X(session, Info, (session, listener, client_ip, client_port, peer_ip, helo, tls, cipher, resumed, user, mechanism, backend, \
                      source, messages, commands, errors, received, sent, duration, time_tls, time_auth, time_messages, reason), "a session ended") \
    X(message, Info, (session, listener, client_ip, tls, user, mechanism, backend, message, from, recipients, recipients_refused, \
                      size, upstream, endpoint, result, origin, code, reply, duration, time_wait, time_envelope, time_data, \
                      time_answer, what), "a mail transaction ended") \
    X(auth_failed, Info, (session, listener, client_ip, user, mechanism, backend, reason, tls), \
      "credentials were refused") \
    X(auth_cancelled, Info, (session, listener, client_ip, user, mechanism, reason), \
      "the client cancelled its AUTH, fell silent in it or left") \
    X(auth_malformed, Info, (session, listener, client_ip, user, mechanism, reason), \
      "an AUTH message was not of its mechanism's grammar") \
    X(auth_refused, Info, (session, listener, client_ip, user, mechanism, reason), \
      "an AUTH was refused before any credential was looked at") \
    X(auth_blocked, Info, (session, listener, client_ip, user, mechanism, reason, retry_after), \
      "too many failures before: refused before any password was looked at; the reason is the rule") \
    X(auth_delayed, Info, (session, listener, client_ip, user, mechanism, duration), \
      "too many failures of this user from everywhere: the check waits so long") \
    X(limit_refused, Warning, (session, listener, client_ip, user, limit, key, action, retry_after), \
      "a limit was reached and the client refused") \
    X(limit_would_refuse, Info, (session, listener, client_ip, user, limit, key, action, retry_after), \
      "a limit with enforce: false was reached; the client goes on") \
    X(limit_delayed, Info, (session, listener, client_ip, user, limit, key, action, retry_after), \
      "a limit lets the client wait until there is room") \
    X(policy_refused, Info, (session, listener, client_ip, user, reason, from, to), \
      "what a client asked for is against the policy, which is the reason") \
    X(auth_unavailable, Warning, (session, listener, client_ip, user, mechanism, backend, reason, what), \
      "credentials could not be judged; the client was told to try again") \
    X(protocol_error, Info, (session, listener, client_ip, user, reason, what), "a client broke the protocol") \
    X(upstream_up, Info, (upstream, endpoint, address, duration, capabilities), "an upstream server passes its health checks") \
    X(upstream_down, Warning, (upstream, endpoint, address, reason, what), "an upstream server fails its health checks") \
    X(upstream_failed, Warning, (session, upstream, endpoint, reason, what), \
      "an upstream server could not be reached or broke off for a session") \
    X(resolve_failed, Warning, (upstream, endpoint, what), "a name could not be resolved") \
    X(log_dropped, Warning, (lines), "log lines were lost because their reader was too slow") \
    X(internal_error, Error, (session, what), "a defect in Gatepost; please report it") \
    X(debug, Debug, (session, listener, client_ip, upstream, endpoint, what), "for developers")
// clang-format on

enum class LogEvent : std::uint8_t {
#define X(event, ...) event,
    GATEPOST_LOG_EVENTS(X)
#undef X
};

struct LogEventRow {
    std::string_view name;
    LogLevel level;
    std::uint64_t fields;  ///< a bit for each LogField
    std::string_view meaning;
};

namespace detail {
template <typename... Fields>
[[nodiscard]] constexpr std::uint64_t field_set(Fields... fields) {
    return (std::uint64_t{0} | ... | (std::uint64_t{1} << static_cast<unsigned>(fields)));
}
}  // namespace detail

inline constexpr auto kLogEvents = [] {
    using enum LogField;
    using detail::field_set;
    return std::to_array<LogEventRow>({
#define X(event, level, fields, meaning) {#event, LogLevel::level, field_set fields, meaning},
        GATEPOST_LOG_EVENTS(X)
#undef X
    });
}();
static_assert(kLogFields.size() <= 64, "the field sets are 64 bits");

[[nodiscard]] constexpr const LogEventRow& row_of(LogEvent event) {
    return kLogEvents[static_cast<std::size_t>(event)];
}
[[nodiscard]] constexpr const LogFieldRow& row_of(LogField field) {
    return kLogFields[static_cast<std::size_t>(field)];
}
[[nodiscard]] constexpr LogFieldKind kind_of(LogField field) {
    using enum LogField;
    switch (field) {
        case client_port:
        case message:
        case recipients:
        case recipients_refused:
        case size:
        case code:
        case share:
        case messages:
        case commands:
        case errors:
        case received:
        case sent:
        case users:
        case listeners:
        case workers:
        case sessions:
        case lines:
        case pid:
        case uid: return LogFieldKind::kNumber;
        case duration:
        case time_tls:
        case time_auth:
        case time_messages:
        case time_wait:
        case time_envelope:
        case time_data:
        case time_answer:
        case retry_after: return LogFieldKind::kSeconds;
        case resumed: return LogFieldKind::kTruth;
        default: return LogFieldKind::kText;
    }
}
[[nodiscard]] constexpr bool may_carry(LogEvent event, LogField field) {
    return (row_of(event).fields >> static_cast<unsigned>(field) & 1) != 0;
}

}  // namespace gatepost::conf

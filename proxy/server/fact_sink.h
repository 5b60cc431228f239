// Turns facts into log lines and counts: the one place that knows both what a conversation found out and how
// it is told. One per worker, on its thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "proxy/base/clock.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/own_time.h"
#include "proxy/server/time_line.h"
#include "proxy/session/conversation.h"
#include "proxy/session/fact.h"

namespace gatepost::server {

/// What the lines of one session have in common. Owned by its connection.
struct SessionContext {
    std::string id;
    observe::ListenerIndex listener{};
    std::string_view listener_name;  ///< of the plan that the connection keeps
    std::string client_ip;
    std::string peer_ip;  ///< of the load balancer; "" when the client connected itself
    std::uint16_t client_port = 0;
    std::string_view tls_version;  ///< "" = none
    std::string_view tls_cipher;
    bool tls_resumed = false;
    std::uint32_t messages = 0;  ///< transactions begun
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    std::uint64_t received_counted = 0;  ///< of them, those that the metrics have
    std::uint64_t sent_counted = 0;
    TimePoint began;
    TimePoint auth_began;
    TimePoint tls_began;
    TimePoint message_began;
    TimeLine commands;           ///< of the client, not yet answered
    TimeLine upstream_commands;  ///< likewise
    OwnTime own_time;            ///< in the mail transaction
    conf::SessionPhase phase = conf::SessionPhase::kGreeting;
    TimePoint message_phase_began;
    session::MessagePhase message_phase = session::MessagePhase::kWait;
    std::array<Duration, session::kMessagePhases> phase_times{};  ///< of this message
    Duration time_tls{};                                          ///< of the session …
    Duration time_auth{};
    Duration time_messages{};
    std::string mechanism;  ///< of the login that succeeded last …
    std::string backend;
    observe::UpstreamIndex upstream{};
    std::string_view upstream_name;
    observe::EndpointIndex endpoint{};
    std::string endpoint_name;
};

struct SessionEnd {
    conf::CloseReason reason = conf::CloseReason::kQuit;
    std::string_view greeting_name;
    auth::Identity identity;  ///< empty without AUTH
    std::uint32_t messages = 0;
    std::uint32_t commands = 0;
    std::uint32_t errors = 0;
};

class FactSink {
  public:
    /// All outlive the sink.
    FactSink(observe::LogSink& log, observe::MetricsRegistry& registry, observe::WorkerMetrics& metrics)
        : log_(log), registry_(registry), metrics_(metrics) {}

    void take(SessionContext& session, std::string_view user, TimePoint now, const session::Fact& fact);

    void rejected(observe::ListenerIndex listener, std::string_view listener_name, std::string_view client_ip,
                  conf::RejectReason reason);
    void opened(const SessionContext& session) { metrics_.connection_opened(session.listener); }
    void closed(SessionContext& session, TimePoint now, const SessionEnd& end);
    /// The end of each callback of a connection, whose time was `now`.
    void event_over(SessionContext& session, TimePoint now, const session::Conversation& conversation,
                    bool in_handshake);
    /// A failure was counted under `key`, and who asks again before `until` is refused. `is_new`: only now.
    void blocked(policy::GuessingRule rule, std::string_view key, bool is_new, TimePoint now,
                 TimePoint until);
    void sent_upstream(const SessionContext& session, std::size_t octets) {
        metrics_.upstream_sent(session.upstream, octets);
    }
    void proxy_header(const SessionContext& session, conf::ProxyVersion version, conf::ProxyResult result,
                      std::string_view reason);
    void tls_established(const SessionContext& session, TimePoint now, bool implicit);
    void tls_failed(const SessionContext& session, bool implicit, conf::TlsFailure reason,
                    std::string_view what);

  private:
    void take_auth(SessionContext& session, TimePoint now, const session::AuthEnded& fact);
    void count_octets(SessionContext& session);
    static void begin_message(SessionContext& session, TimePoint now);
    static void begin_phase(SessionContext& session, TimePoint now, session::MessagePhase phase);
    void take_guess(const SessionContext& session, TimePoint now, const session::GuessRefused& fact);
    void take_guess(const SessionContext& session, const session::GuessDelayed& fact);
    void take_limit(const SessionContext& session, std::string_view user, const session::LimitDecided& fact);
    void take_policy(const SessionContext& session, std::string_view user,
                     const session::PolicyRefused& fact);
    void take_message(SessionContext& session, std::string_view user, TimePoint now,
                      const session::MessageEnded& fact);
    void take_command(SessionContext& session, TimePoint now, const session::CommandAnswered& fact);
    void take_upstream_reply(SessionContext& session, TimePoint now, const session::UpstreamReplied& fact);
    void take_opening(const SessionContext& session, const session::UpstreamOpeningEnded& fact);

    observe::LogSink& log_;
    observe::MetricsRegistry& registry_;
    observe::WorkerMetrics& metrics_;
};

}  // namespace gatepost::server

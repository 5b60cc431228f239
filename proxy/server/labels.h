// What conversations and transports call things, as the closed label sets of the metrics and the words of the
// log. Pure tables; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "conf/metrics.h"
#include "proxy/net/transport.h"
#include "proxy/session/conversation.h"
#include "proxy/session/fact.h"
#include "proxy/upstream/opener.h"

namespace gatepost::server {

[[nodiscard]] conf::CommandVerb to_label(smtp::Verb verb);
[[nodiscard]] conf::ProtocolError to_label(session::Breach breach);
[[nodiscard]] conf::UpstreamVerb to_label(smtp::Awaited awaited);
/// Nothing of QUIT, whose answer nobody waits for.
[[nodiscard]] std::optional<conf::UpstreamCommand> command_label(smtp::Awaited awaited);
/// What the session is at; a wait for limits belongs to the phase `before`.
[[nodiscard]] conf::SessionPhase phase_of(const session::Conversation& conversation,
                                          conf::SessionPhase before);
/// Neither client nor upstream could go on: a mail transaction waits for limits, or for a connection.
[[nodiscard]] bool waits_for_us(session::State state);
[[nodiscard]] conf::MessageResult to_label(session::Result result);
[[nodiscard]] conf::RecipientResult to_recipient_label(session::Result result);
[[nodiscard]] conf::Origin to_label(session::Origin origin);
[[nodiscard]] conf::AuthResult to_label(const session::AuthEnded& fact);
[[nodiscard]] conf::GuessingScope to_label(policy::GuessingRule rule);
[[nodiscard]] conf::LimitDecision to_label(session::LimitDecision decision);
[[nodiscard]] conf::PolicyLabel to_label(session::Policy policy);
[[nodiscard]] conf::ConnectResult to_label(upstream::OpeningFailure::Why why);
[[nodiscard]] session::UpstreamOutcome to_outcome(upstream::OpeningFailure::Why why);
/// For the log.
[[nodiscard]] std::string_view reason_of(session::UpstreamOutcome outcome);
[[nodiscard]] conf::CloseReason to_label(session::CloseReason reason);
[[nodiscard]] conf::CloseReason to_label(net::CloseCause cause);
/// `what`: of an OpeningFailure with kTlsFailed.
[[nodiscard]] conf::UpstreamTlsFailure upstream_tls_failure_label(std::string_view what);
/// `why`: OpenSSL's words.
[[nodiscard]] conf::TlsFailure tls_failure_label(net::CloseCause cause, std::string_view why);

}  // namespace gatepost::server

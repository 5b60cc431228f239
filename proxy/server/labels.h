// What conversations and transports call things, as the closed label sets of the metrics and the words of the
// log. Pure tables; any thread.
#pragma once

#include <string_view>

#include "conf/metrics.h"
#include "proxy/net/transport.h"
#include "proxy/session/fact.h"
#include "proxy/upstream/opener.h"

namespace gatepost::server {

[[nodiscard]] conf::CommandVerb to_label(smtp::Verb verb);
[[nodiscard]] conf::ProtocolError to_label(session::Breach breach);
[[nodiscard]] conf::UpstreamVerb to_label(smtp::Awaited awaited);
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
/// `why`: OpenSSL's words.
[[nodiscard]] conf::TlsFailure tls_failure_label(net::CloseCause cause, std::string_view why);

}  // namespace gatepost::server

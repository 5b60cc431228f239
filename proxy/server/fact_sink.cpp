#include "proxy/server/fact_sink.h"

#include <array>
#include <utility>

#include "proxy/server/labels.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;
using session::AuthEnd;

template <typename... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

std::string_view source_of(const auth::Identity& identity) {
    if (identity.user.empty()) return "";
    return identity.is_remembered ? "cache" : "store";
}

std::string_view tls_of(const SessionContext& context) {
    return context.tls_version.empty() ? "none" : context.tls_version;
}

}  // namespace

void FactSink::take(SessionContext& context, std::string_view user, TimePoint now,
                    const session::Fact& fact) {
    std::visit(
        Overloaded{
            [&](const session::CommandTaken& taken) {
                if (taken.is_first) context.commands.clear();
                context.commands.ask(now);
            },
            [&](const session::CommandCompleted&) { context.commands.ask_again(now); },
            [&](const session::CommandAnswered& answered) { take_command(context, now, answered); },
            [&](const session::ProtocolBroken& broken) {
                const conf::ProtocolError error = to_label(broken.breach);
                metrics_.protocol_error(context.listener, error);
                const bool grave = broken.breach != session::Breach::kBadSequence &&
                                   broken.breach != session::Breach::kSyntax &&
                                   broken.breach != session::Breach::kUnknownCommand;
                log_.log(LogEvent::protocol_error, grave ? conf::LogLevel::Info : conf::LogLevel::Debug,
                         {{LogField::session, context.id},
                          {LogField::listener, context.listener_name},
                          {LogField::client_ip, context.client_ip},
                          {LogField::user, user},
                          {LogField::reason, conf::to_string(error)}});
            },
            [&](const session::AuthBegun&) { context.auth_began = now; },
            [&](const session::AuthEnded& ended) { take_auth(context, now, ended); },
            [&](const session::GuessRefused& refused) { take_guess(context, now, refused); },
            [&](const session::GuessDelayed& delayed) { take_guess(context, delayed); },
            [&](const session::LimitDecided& decided) { take_limit(context, user, decided); },
            [&](const session::PolicyRefused& refused) { take_policy(context, user, refused); },
            [&](const session::RecipientAnswered& answered) {
                metrics_.recipient_answered(context.upstream, to_recipient_label(answered.result),
                                            to_label(answered.origin));
            },
            [&](const session::MessageBegun&) { begin_message(context, now); },
            [&](const session::MessagePhaseBegun& begun) { begin_phase(context, now, begun.phase); },
            [&](const session::MessageEnded& ended) { take_message(context, user, now, ended); },
            [&](const session::UpstreamOpeningEnded& ended) {
                context.upstream_commands.clear();
                take_opening(context, ended);
            },
            [&](const session::UpstreamAsked&) { context.upstream_commands.ask(now); },
            [&](const session::UpstreamReplied& replied) { take_upstream_reply(context, now, replied); },
            [&](const session::UpstreamReplaced&) { metrics_.upstream_replaced(context.upstream); },
            [&](const session::UpstreamFailed& failed) {
                log_.log(LogEvent::upstream_failed, {{LogField::session, context.id},
                                                     {LogField::upstream, context.upstream_name},
                                                     {LogField::endpoint, context.endpoint_name},
                                                     {LogField::reason, "broken_off"},
                                                     {LogField::what, failed.what}});
            },
        },
        fact);
}

void FactSink::begin_message(SessionContext& context, TimePoint now) {
    context.message_began = context.message_phase_began = now;
    context.own_time.begin(now);
    context.message_phase = session::MessagePhase::kWait;
    context.phase_times.fill(Duration::zero());
    ++context.messages;
}

void FactSink::begin_phase(SessionContext& context, TimePoint now, session::MessagePhase phase) {
    context.phase_times.at(static_cast<std::size_t>(context.message_phase)) +=
        now - context.message_phase_began;
    context.message_phase_began = now;
    context.message_phase = phase;
}

void FactSink::take_auth(SessionContext& context, TimePoint now, const session::AuthEnded& fact) {
    const conf::AuthResult result = to_label(fact);
    const Duration took = context.auth_began == TimePoint() ? Duration::zero() : now - context.auth_began;
    context.time_auth += took;
    context.auth_began = TimePoint();
    if (fact.end == AuthEnd::kSucceeded) {
        context.mechanism = fact.mechanism;
        context.backend = fact.backend;
    }
    metrics_.auth_finished(context.listener, registry_.mechanism(fact.mechanism),
                           registry_.backend(fact.backend), result, took);
    switch (fact.end) {
        case AuthEnd::kSucceeded:
        case AuthEnd::kBlocked: return;  // said by the session's line, and by auth_blocked
        case AuthEnd::kRefusedCredentials:
            return log_.log(LogEvent::auth_failed, {{LogField::session, context.id},
                                                    {LogField::listener, context.listener_name},
                                                    {LogField::client_ip, context.client_ip},
                                                    {LogField::user, fact.user},
                                                    {LogField::mechanism, fact.mechanism},
                                                    {LogField::backend, fact.backend},
                                                    {LogField::reason, auth::to_string(fact.reason)},
                                                    {LogField::tls, tls_of(context)}});
        case AuthEnd::kUnavailable:
        case AuthEnd::kBusy:
            return log_.log(LogEvent::auth_unavailable, {{LogField::session, context.id},
                                                         {LogField::listener, context.listener_name},
                                                         {LogField::client_ip, context.client_ip},
                                                         {LogField::user, fact.user},
                                                         {LogField::mechanism, fact.mechanism},
                                                         {LogField::backend, fact.backend},
                                                         {LogField::reason, auth::to_string(fact.reason)}});
        case AuthEnd::kCancelled:
            return log_.log(LogEvent::auth_cancelled, {{LogField::session, context.id},
                                                       {LogField::listener, context.listener_name},
                                                       {LogField::client_ip, context.client_ip},
                                                       {LogField::user, fact.user},
                                                       {LogField::mechanism, fact.mechanism},
                                                       {LogField::reason, auth::to_string(fact.reason)}});
        case AuthEnd::kMalformed:
        case AuthEnd::kTlsRequired:
        case AuthEnd::kNotOffered:
            return log_.log(
                fact.end == AuthEnd::kMalformed ? LogEvent::auth_malformed : LogEvent::auth_refused,
                {{LogField::session, context.id},
                 {LogField::listener, context.listener_name},
                 {LogField::client_ip, context.client_ip},
                 {LogField::user, fact.user},
                 {LogField::mechanism, fact.mechanism},
                 {LogField::reason, conf::to_string(result)}});
    }
}

void FactSink::take_guess(const SessionContext& context, TimePoint now, const session::GuessRefused& fact) {
    metrics_.auth_blocked(to_label(fact.rule));
    registry_.auth_block_noted(to_label(fact.rule), fact.key, now, now + fact.retry_after);
    log_.log(LogEvent::auth_blocked, {{LogField::session, context.id},
                                      {LogField::listener, context.listener_name},
                                      {LogField::client_ip, context.client_ip},
                                      {LogField::user, fact.user},
                                      {LogField::mechanism, fact.mechanism},
                                      {LogField::reason, policy::name_of(fact.rule)},
                                      {LogField::retry_after, fact.retry_after}});
}

void FactSink::take_guess(const SessionContext& context, const session::GuessDelayed& fact) {
    metrics_.auth_delayed();
    log_.log(LogEvent::auth_delayed, {{LogField::session, context.id},
                                      {LogField::listener, context.listener_name},
                                      {LogField::client_ip, context.client_ip},
                                      {LogField::user, fact.user},
                                      {LogField::mechanism, fact.mechanism},
                                      {LogField::duration, fact.delay}});
}

void FactSink::take_message(SessionContext& context, std::string_view user, TimePoint now,
                            const session::MessageEnded& fact) {
    begin_phase(context, now, session::MessagePhase::kWait);
    const auto& [wait, envelope, data, answer] = context.phase_times;
    const conf::MessageResult result = to_label(fact.result);
    const conf::Origin origin = to_label(fact.origin);
    const Duration took = now - context.message_began;
    context.time_messages += took;
    const bool has_login = !user.empty();
    count_octets(context);
    metrics_.message_finished(context.listener, context.upstream,
                              {.result = result,
                               .origin = origin,
                               .octets = fact.size,
                               .recipients = fact.recipients,
                               .took = took,
                               .overhead = context.own_time.end(now, Clock::now())});
    log_.log(LogEvent::message,
             {{LogField::session, context.id},
              {LogField::listener, context.listener_name},
              {LogField::client_ip, context.client_ip},
              {LogField::tls, tls_of(context)},
              {LogField::user, user},
              {LogField::mechanism, has_login ? context.mechanism : ""},
              {LogField::backend, has_login ? context.backend : ""},
              {LogField::message, context.messages},
              {LogField::from, fact.sender},
              {LogField::recipients, fact.recipients},
              {LogField::recipients_refused, fact.recipients_refused},
              {LogField::size, fact.size},
              {LogField::upstream, context.upstream_name},
              {LogField::endpoint, context.endpoint_name},
              {LogField::result, conf::to_string(result)},
              {LogField::origin, conf::to_string(origin)},
              {LogField::code, fact.code},
              {LogField::reply, fact.reply},
              {LogField::duration, took},
              {LogField::time_wait, wait},
              {LogField::time_envelope, envelope},
              {LogField::time_data, data},
              {LogField::time_answer, answer},
              {LogField::what, fact.client_gone && fact.result == session::Result::kAccepted
                                   ? "accepted upstream, client gone"
                                   : ""}});
}

void FactSink::take_opening(const SessionContext& context, const session::UpstreamOpeningEnded& fact) {
    if (fact.how == session::UpstreamOutcome::kOpened) return;
    log_.log(LogEvent::upstream_failed, {{LogField::session, context.id},
                                         {LogField::upstream, context.upstream_name},
                                         {LogField::endpoint, context.endpoint_name},
                                         {LogField::reason, reason_of(fact.how)},
                                         {LogField::what, fact.what}});
}

void FactSink::rejected(observe::ListenerIndex listener, std::string_view listener_name,
                        std::string_view client_ip, conf::RejectReason reason) {
    metrics_.connection_rejected(listener, reason);
    log_.log(LogEvent::connection_rejected, {{LogField::listener, listener_name},
                                             {LogField::client_ip, client_ip},
                                             {LogField::reason, conf::to_string(reason)}});
}

/// Since it was counted last: a session may last for days.
void FactSink::count_octets(SessionContext& context) {
    metrics_.received(context.listener,
                      context.received - std::exchange(context.received_counted, context.received));
    metrics_.sent(context.listener, context.sent - std::exchange(context.sent_counted, context.sent));
}

void FactSink::closed(SessionContext& context, TimePoint now, const SessionEnd& end) {
    metrics_.connection_closed(context.listener, end.reason, context.phase, now - context.began);
    count_octets(context);
    log_.log(LogEvent::session, {{LogField::session, context.id},
                                 {LogField::listener, context.listener_name},
                                 {LogField::client_ip, context.client_ip},
                                 {LogField::client_port, context.client_port},
                                 {LogField::peer_ip, context.peer_ip},
                                 {LogField::helo, end.greeting_name},
                                 {LogField::tls, tls_of(context)},
                                 {LogField::cipher, context.tls_cipher},
                                 {LogField::resumed, context.tls_resumed},
                                 {LogField::user, end.identity.user},
                                 {LogField::mechanism, end.identity.mechanism},
                                 {LogField::backend, end.identity.backend},
                                 {LogField::source, source_of(end.identity)},
                                 {LogField::messages, end.messages},
                                 {LogField::commands, end.commands},
                                 {LogField::errors, end.errors},
                                 {LogField::received, context.received},
                                 {LogField::sent, context.sent},
                                 {LogField::duration, now - context.began},
                                 {LogField::time_tls, context.time_tls},
                                 {LogField::time_auth, context.time_auth},
                                 {LogField::time_messages, context.time_messages},
                                 {LogField::reason, conf::to_string(end.reason)}});
}

void FactSink::proxy_header(const SessionContext& context, conf::ProxyVersion version,
                            conf::ProxyResult result, std::string_view reason) {
    metrics_.proxy_header(context.listener, version, result);
    if (result == conf::ProxyResult::kOk) return;
    log_.log(LogEvent::proxy_header_bad, {{LogField::listener, context.listener_name},
                                          {LogField::peer_ip, context.client_ip},
                                          {LogField::reason, reason}});
}

void FactSink::tls_established(const SessionContext& context, TimePoint now, bool implicit) {
    metrics_.tls_established(
        context.listener, implicit ? conf::HandshakeMode::kImplicit : conf::HandshakeMode::kStarttls,
        conf::tls_protocol_of(context.tls_version), context.tls_resumed, now - context.tls_began);
}

void FactSink::tls_failed(const SessionContext& context, bool implicit, conf::TlsFailure reason,
                          std::string_view what) {
    const conf::HandshakeMode mode =
        implicit ? conf::HandshakeMode::kImplicit : conf::HandshakeMode::kStarttls;
    metrics_.tls_failed(context.listener, mode, reason);
    log_.log(LogEvent::tls_failed, {{LogField::session, context.id},
                                    {LogField::listener, context.listener_name},
                                    {LogField::client_ip, context.client_ip},
                                    {LogField::mode, conf::to_string(mode)},
                                    {LogField::reason, conf::to_string(reason)},
                                    {LogField::what, what}});
}

}  // namespace gatepost::server

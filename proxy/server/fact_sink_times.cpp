// How long what took: each reply, the client's and the upstream's, and what of a message is Gatepost's own.
#include "proxy/server/fact_sink.h"
#include "proxy/server/labels.h"

namespace gatepost::server {

void FactSink::take_command(SessionContext& context, TimePoint now, const session::CommandAnswered& fact) {
    const conf::CommandVerb verb = to_label(fact.verb);
    metrics_.command_answered(context.listener, verb, conf::reply_class_of(fact.code));
    // A line that was no command was never taken for one.
    if (const std::optional<TimePoint> asked = context.commands.answer())
        metrics_.command_took(verb, now - *asked);
}

void FactSink::take_upstream_reply(SessionContext& context, TimePoint now,
                                   const session::UpstreamReplied& fact) {
    metrics_.upstream_replied(context.upstream, to_label(fact.awaited),
                              conf::upstream_reply_class_of(fact.code));
    const std::optional<TimePoint> asked = context.upstream_commands.answer();
    const std::optional<conf::UpstreamCommand> command = command_label(fact.awaited);
    if (asked && command && fact.code != 0) metrics_.upstream_took(context.upstream, *command, now - *asked);
}

void FactSink::event_over(SessionContext& context, TimePoint now, const session::Conversation& conversation,
                          bool in_handshake) {
    const conf::SessionPhase phase =
        in_handshake ? conf::SessionPhase::kTls : phase_of(conversation, context.phase);
    if (phase != context.phase) metrics_.session_moved(context.listener, context.phase, phase);
    context.phase = phase;
    // The loop's time is that of the turn's beginning, which would make all work in it nothing.
    if (context.own_time.is_running())
        context.own_time.rest(now, Clock::now(), waits_for_us(conversation.state()));
}

}  // namespace gatepost::server

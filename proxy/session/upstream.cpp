// The upstream side of a conversation: which one, how it is had, what goes wrong with it, and how it is left.
#include <algorithm>
#include <utility>

#include "proxy/session/conversation.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using smtp::Awaited;
using smtp::Verb;

namespace {

const smtp::StaticReply& reply_to(UpstreamOutcome outcome) {
    switch (outcome) {
        case UpstreamOutcome::kOpened: break;
        case UpstreamOutcome::kRefusedNow:
        case UpstreamOutcome::kRefused: return replies::kUpstreamRefuses;
        case UpstreamOutcome::kUnreachable:
        case UpstreamOutcome::kTimedOut: return replies::kUpstreamUnreachable;
        case UpstreamOutcome::kNonsense: return replies::kUpstreamNonsense;
        case UpstreamOutcome::kTlsFailed: return replies::kUpstreamTls;
        case UpstreamOutcome::kAuthFailed:
        case UpstreamOutcome::kNotHonoured: return replies::kUpstreamUnusable;
        case UpstreamOutcome::kBusy: return replies::kUpstreamBusy;
        case UpstreamOutcome::kNoRoute: return replies::kNoRoute;
        case UpstreamOutcome::kLost: break;
    }
    return replies::kUpstreamLost;
}

}  // namespace

/// What the user's record says goes before the routes; nothing: it names an upstream that there is not.
std::optional<std::size_t> Conversation::upstream_for(std::string_view sender) const {
    if (identity_.upstream.empty())
        return settings_.routes.upstream_for(identity_.user, sender, settings_.listener).value_or(0);
    const auto named = std::ranges::find(settings_.upstreams, identity_.upstream, &UpstreamSettings::name);
    if (named == settings_.upstreams.end()) return std::nullopt;
    return static_cast<std::size_t>(named - settings_.upstreams.begin());
}

void Conversation::open_upstream(bool is_new) {
    enter(State::kAwaitingUpstream);
    actions_.open_upstream({.upstream = upstream_index_,
                            .is_new = is_new,
                            .greeting_name = client_leg_.greeting_name(),
                            .is_esmtp = client_leg_.is_esmtp(),
                            .user = identity_.user});
}

std::size_t Conversation::on(const BytesFromUpstream& event) {
    std::size_t consumed = 0;
    while (upstream_) {
        const smtp::UpstreamLeg::Result result = upstream_->next(event.bytes.substr(consumed));
        consumed += result.consumed;
        take_upstream_event(result.event);
        if (result.consumed == 0) break;
    }
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
    return upstream_ ? consumed : event.bytes.size();
}

void Conversation::on(const UpstreamReady& event) {
    if (state_ != State::kAwaitingUpstream) return;
    upstream_ = std::make_unique<smtp::UpstreamLeg>(event.capabilities);
    upstream_was_used_ = event.was_used;
    upstream_is_proven_ = !event.was_used;
    actions_.report(UpstreamOpeningEnded{UpstreamOutcome::kOpened, ""});
    if (event.was_used) reset_upstream();
    if (upstream_->can_send()) {
        send_mail();
    } else {
        enter(State::kAwaitingReset);
    }
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

void Conversation::on(UpstreamNotOpened event) {
    if (state_ != State::kAwaitingUpstream) return;
    upstream_not_opened(event.how, reply_to(event.how), event.what);
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

void Conversation::on(UpstreamLost /*event*/) {
    if (upstream_) upstream_broke(replies::kUpstreamLost, "connection lost");
    if (has_unread_ && state_ != State::kClosed) actions_.resume_client();
    settle();
}

void Conversation::take_upstream_event(smtp::UpstreamLeg::Event event) {
    using Event = smtp::UpstreamLeg::Event;
    switch (event) {
        case Event::kNone: return;
        case Event::kReply: return take_upstream_answer();
        case Event::kGoingAway: return upstream_broke(replies::kUpstreamRefuses, "421");
        case Event::kNonsense:
            actions_.report(UpstreamReplied{});
            return upstream_broke(replies::kUpstreamNonsense, "an answer that cannot be");
    }
}

void Conversation::upstream_not_opened(UpstreamOutcome how, const smtp::StaticReply& reply,
                                       std::string_view what) {
    actions_.report(UpstreamOpeningEnded{how, what});
    drop_upstream();
    enter(State::kAwaitingCommand);
    answer(Verb::kMail, reply);
    const bool is_ours = how == UpstreamOutcome::kBusy || how == UpstreamOutcome::kNoRoute;
    end_message(is_ours ? Origin::kGateway : Origin::kUpstream, reply.code, reply.text);
}

/// A used connection, and MAIL not answered yet: nothing was accepted on it, so another one can take its
/// place without anybody noticing.
bool Conversation::is_on_trial() const noexcept {
    return upstream_ && !upstream_is_proven_ && transaction_;
}

void Conversation::upstream_broke(const smtp::StaticReply& reply, std::string_view what) {
    // Idle in between: MAIL has not been sent on it.
    if (limited_ && limited_->what == LimitedStep::What::kMail) return drop_upstream();
    if (!is_on_trial()) return upstream_failed(reply, what);
    actions_.report(UpstreamReplaced{what});
    actions_.report(MessagePhaseBegun{MessagePhase::kWait});
    owed_ = 0;
    drop_upstream();
    open_upstream(true);
}

/// An answer of the upstream is awaited, whether the client waits for it (MAIL) or not (RSET).
bool Conversation::upstream_owes() const noexcept {
    return owed_ > 0 || (upstream_ && upstream_->awaited() > 0);
}

/// The connection to the upstream is of no use any more. Whoever waits for an answer of it gets `reply`.
void Conversation::upstream_failed(const smtp::StaticReply& reply, std::string_view what) {
    if (transaction_) actions_.report(UpstreamFailed{what});
    const bool in_data = state_ == State::kReceivingData || state_ == State::kReceivingChunk;
    const bool chunk_follows = state_ == State::kAwaitingGoAhead && transaction_->chunks_as_data;
    if (in_data || chunk_follows) {
        drop_upstream();
        return refuse_data(reply, Origin::kUpstream);
    }
    const bool was_waiting = state_ == State::kAwaitingGoAhead || state_ == State::kAwaitingFinal;
    const bool out_of_step = state_ == State::kAwaitingGoAhead && has_unread_;
    answer_owed(reply);
    drop_upstream();
    if (was_waiting) enter(State::kAwaitingCommand);
    // A client that has heard 250 to its MAIL goes on with the transaction, and must hear 451, not 503, until
    // it ends it.
    const bool goes_on = transaction_ && transaction_->mail_accepted && !was_waiting;
    if (!goes_on) end_message(Origin::kUpstream, reply.code, reply.text);
    if (client_gone_) return close(CloseReason::kClientGone);
    if (out_of_step) end_out_of_step();
}

void Conversation::answer_owed(const smtp::StaticReply& reply) {
    for (; owed_ > 0; --owed_) {
        std::optional<Awaited> awaited = upstream_->give_up_next();
        while (awaited == Awaited::kReset) awaited = upstream_->give_up_next();
        switch (awaited.value_or(upstream_->answered())) {
            case Awaited::kMail: answer(Verb::kMail, reply); break;
            case Awaited::kRcpt:
                answer(Verb::kRcpt, reply);
                --transaction_->pending;
                note_refused_recipient(smtp::to_reply(reply), Origin::kUpstream);
                break;
            case Awaited::kData:
            case Awaited::kEndOfData: answer(Verb::kData, reply); break;
            case Awaited::kChunk:
            case Awaited::kLastChunk: answer(Verb::kBdat, reply); break;
            case Awaited::kReset:
            case Awaited::kQuit: break;
        }
    }
}

/// Makes the upstream forget the transaction. Inside message data only ending the connection does that.
void Conversation::reset_upstream() {
    if (!upstream_) return;
    if (!upstream_->can_send() || upstream_->awaited() > 0 || (transaction_ && transaction_->data_begun)) {
        return drop_upstream();
    }
    actions_.send_to_upstream("RSET\r\n");
    await(Awaited::kReset);
}

void Conversation::await(Awaited awaited) {
    upstream_->await(awaited);
    actions_.report(UpstreamAsked{awaited});
}

void Conversation::drop_upstream() {
    if (!upstream_ && state_ != State::kAwaitingUpstream) return;
    upstream_.reset();
    actions_.leave_upstream(UpstreamGoodbye::kAbort);
}

/// The session has no more use for it: QUIT where that cannot be taken for message data, else an abrupt end.
void Conversation::release_upstream() {
    if (!upstream_) return drop_upstream();
    const bool idle = upstream_->can_send() && upstream_->awaited() == 0;
    if (!idle || (transaction_ && transaction_->data_begun)) return drop_upstream();
    actions_.send_to_upstream("QUIT\r\n");
    upstream_.reset();
    actions_.leave_upstream(UpstreamGoodbye::kQuit);
}

/// After a clean end of its transaction a connection is for whoever comes next.
void Conversation::return_upstream() {
    const bool is_clean = upstream_ && !transaction_ && upstream_->can_send() && upstream_->awaited() == 0;
    if (!is_clean) return;
    if (upstream_->is_inside_reply()) return drop_upstream();  // nobody has asked
    upstream_.reset();
    actions_.leave_upstream(UpstreamGoodbye::kReturn);
}

}  // namespace gatepost::session

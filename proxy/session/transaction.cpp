// The mail transaction up to its data: MAIL, RCPT, and the upstream with its answers and failures.
#include "proxy/session/transaction.h"

#include <algorithm>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/session/conversation.h"
#include "proxy/smtp/received.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using smtp::Awaited;
using smtp::Verb;

namespace {

Result result_of(int code) {
    if (code < 300) return Result::kAccepted;
    return code < 500 ? Result::kTransient : Result::kPermanent;
}

}  // namespace

void Conversation::begin_transaction(ByteView argument) {
    smtp::Parsed<smtp::MailArguments> mail = smtp::parse_mail(argument);
    if (!mail) return refuse(Verb::kMail, mail.error());
    if (refuses_sender(*mail)) return;

    chunks_are_refused_ = false;
    transaction_ = std::make_unique<Transaction>();
    transaction_->mail = std::move(*mail);
    transaction_->begun = now_;
    actions_.report(MessageBegun{});
    const std::optional<std::size_t> upstream = upstream_for(transaction_->mail.sender);
    if (!upstream)
        return upstream_not_opened(UpstreamOutcome::kNoRoute, replies::kNoRoute, identity_.upstream);
    transaction_->upstream = *upstream;
    transaction_->bytes_reserved = std::max<std::uint64_t>(transaction_->mail.size.value_or(1), 1);
    if (asks_allowance(LimitedStep::What::kMail,
                       settings_.limits.questions(policy::LimitMoment::kMail, subject())))
        return;
    use_upstream();
}

void Conversation::use_upstream() {
    if (upstream_ && upstream_index_ == transaction_->upstream) {
        upstream_was_used_ = true;
        return send_mail();
    }
    release_upstream();
    upstream_index_ = transaction_->upstream;
    open_upstream(false);
}

/// Parameters go as the EHLO of this very connection allows, not the last probe's (decisions 9b).
void Conversation::send_mail() {
    const smtp::Capabilities& able = upstream_->capabilities();
    actions_.report(MessagePhaseBegun{MessagePhase::kEnvelope});
    enter(State::kAwaitingCommand);
    if (const auto refusal = smtp::missing_at(able, transaction_->mail)) {
        answer(Verb::kMail, *refusal);
        return end_message(Origin::kGateway, refusal->code, refusal->text);
    }
    const std::size_t added =
        transaction_->mail.size && settings_.received_header ? received_field().size() : 0;
    std::string command;
    std::optional<std::string> submitter;
    if (upstream_settings().mail_auth) submitter = authenticated_ ? identity_.user : "<>";
    smtp::append_mail(command, transaction_->mail, able, added, submitter);
    actions_.send_to_upstream(command);
    await(Awaited::kMail);
    ++owed_;
    client_leg_.enter(smtp::Phase::kMail);
}

std::optional<Conversation::RecipientRefusal> Conversation::refusal_of_recipient(ByteView argument) const {
    const smtp::Parsed<smtp::RcptArguments> rcpt = smtp::parse_rcpt(argument);
    if (!rcpt) return RecipientRefusal{rcpt.error()};
    const bool has_8bit = rcpt->recipient_has_8bit || !is_ascii(rcpt->original_recipient);
    if (has_8bit && !transaction_->mail.smtputf8) return RecipientRefusal{replies::kNeedsSmtpUtf8};
    if (const auto refusal = policy_on_recipient(rcpt->recipient)) return refusal;
    if (const auto missing = smtp::missing_at(upstream_->capabilities(), *rcpt))
        return RecipientRefusal{*missing};
    return std::nullopt;
}

void Conversation::add_recipient(ByteView argument) {
    if (!upstream_) return refuse_recipient_for_lost_upstream();
    if (const auto refusal = refusal_of_recipient(argument)) {
        const smtp::StaticReply& reply = refusal->reply;
        if (refusal->policy) actions_.report(*refusal->policy);
        note_refused_recipient(smtp::to_reply(reply), refusal->policy ? Origin::kPolicy : Origin::kGateway);
        if (reply.code == 501 || reply.code == 555) return refuse(Verb::kRcpt, reply);
        return answer(Verb::kRcpt, reply);
    }
    transaction_->recipient = argument;
    transaction_->charges_before_recipient = transaction_->charges.size();
    if (settings_.limits.has(policy::LimitMoment::kRecipient) &&
        asks_allowance(LimitedStep::What::kRecipient,
                       questions_of_recipient(smtp::parse_rcpt(argument)->recipient)))
        return;
    send_recipient();
}

void Conversation::note_refused_recipient(const smtp::Reply& reply, Origin origin) {
    ++transaction_->refused;
    std::optional<Transaction::Refusal>& kept = transaction_->recipient_refusal;
    if (!kept || reply.is_transient() || !kept->reply.is_transient()) kept = {reply, origin};
    actions_.report(RecipientAnswered{result_of(reply.code), origin});
}

void Conversation::refuse_recipient_for_lost_upstream() {
    note_refused_recipient(smtp::to_reply(replies::kUpstreamLost), Origin::kUpstream);
    answer(Verb::kRcpt, replies::kUpstreamLost);
}

void Conversation::send_recipient() {
    if (!upstream_) {
        give_back_recipient();
        return refuse_recipient_for_lost_upstream();
    }
    std::string command;
    smtp::append_rcpt(command, *smtp::parse_rcpt(transaction_->recipient), upstream_->capabilities());
    actions_.send_to_upstream(command);
    await(Awaited::kRcpt);
    transaction_->was_pipelined = transaction_->was_pipelined || owed_ > 0;
    ++owed_;
    ++transaction_->pending;
    client_leg_.enter(smtp::Phase::kRcpt);
}

void Conversation::take_upstream_answer() {
    const smtp::Reply& reply = upstream_->reply();
    const Awaited answered = upstream_->answered();
    actions_.report(UpstreamReplied{answered, reply.code});
    if (answered == Awaited::kReset || answered == Awaited::kQuit) {
        progressed_ = true;  // from now on the client is waited for again
        if (!reply.is_positive()) return upstream_broke(replies::kUpstreamNonsense, "refused RSET");
        if (state_ == State::kAwaitingReset) send_mail();
        return;
    }
    progressed_ = true;
    if (owed_ > 0) --owed_;
    switch (answered) {
        case Awaited::kMail: take_mail_answer(); break;
        case Awaited::kRcpt: take_recipient_answer(); break;
        case Awaited::kData: take_go_ahead(); break;
        case Awaited::kEndOfData: take_final_answer(); break;
        case Awaited::kChunk: take_chunk_answer(false); break;
        case Awaited::kLastChunk: take_chunk_answer(true); break;
        case Awaited::kReset:
        case Awaited::kQuit: break;
    }
    // Answers to what was pipelined behind a refused MAIL belong to its transaction still.
    if (owed_ > 0 || !transaction_ || state_ != State::kAwaitingCommand) return;
    const std::optional<smtp::Reply> refusal = transaction_->mail_refusal;
    if (refusal) end_message(Origin::kUpstream, refusal->code, refusal->text);
}

void Conversation::take_mail_answer() {
    const smtp::Reply& reply = upstream_->reply();
    upstream_is_proven_ = true;
    pass_on(Verb::kMail, reply);
    transaction_->mail_accepted = reply.is_positive();
    if (reply.is_positive()) return;
    client_leg_.enter(smtp::Phase::kGreeted);
    transaction_->mail_refusal = reply;
}

void Conversation::take_recipient_answer() {
    const smtp::Reply& reply = upstream_->reply();
    --transaction_->pending;
    pass_on(Verb::kRcpt, reply);
    if (!reply.is_positive()) {
        give_back_recipient();
        return note_refused_recipient(reply, Origin::kUpstream);
    }
    ++transaction_->accepted;
    actions_.report(RecipientAnswered{Result::kAccepted, Origin::kUpstream});
}

/// RSET, EHLO: the client gives its transaction up.
void Conversation::reset_transaction() {
    chunks_are_refused_ = false;
    if (!transaction_) return;
    reset_upstream();
    give_up_message(Origin::kClient);
}

/// It ends before its data were answered.
void Conversation::give_up_message(Origin origin) {
    if (!ended_without_recipients()) end_message(Result::kAborted, origin, 0, "");
}

/// Nobody would have it: that is why it ended, whoever said the last word.
bool Conversation::ended_without_recipients() {
    if (!transaction_ || transaction_->mail_refusal || !transaction_->recipient_refusal) return false;
    if (transaction_->accepted + transaction_->pending > 0) return false;
    const Transaction::Refusal refusal = std::move(*transaction_->recipient_refusal);
    end_message(refusal.origin, refusal.reply.code, refusal.reply.text);
    return true;
}

void Conversation::end_message(Origin origin, int code, std::string_view reply) {
    end_message(result_of(code), origin, code, reply);
}

void Conversation::end_message(Result result, Origin origin, int code, std::string_view reply) {
    if (!transaction_) return;
    if (result == Result::kAccepted) ++messages_;
    if (!transaction_->charges.empty()) give_back_message(result == Result::kAccepted);
    actions_.report(MessageEnded{.result = result,
                                 .origin = origin,
                                 .sender = transaction_->mail.sender,
                                 .recipients = transaction_->accepted,
                                 .recipients_refused = transaction_->refused,
                                 .size = transaction_->sent,
                                 .code = code,
                                 .reply = reply,
                                 .client_gone = client_gone_});
    transaction_.reset();
    if (client_leg_.phase() > smtp::Phase::kGreeted) client_leg_.enter(smtp::Phase::kGreeted);
}

std::string Conversation::received_field() const {
    return smtp::received_field({.greeting_name = client_leg_.greeting_name(),
                                 .client_address = client_.address,
                                 .our_name = settings_.hostname,
                                 .session_id = client_.session_id,
                                 .esmtp = client_leg_.is_esmtp(),
                                 .tls = tls_,
                                 .authenticated = authenticated_,
                                 .user = settings_.user_in_received ? ByteView(identity_.user) : ByteView(),
                                 .smtputf8 = transaction_->mail.smtputf8,
                                 .time = transaction_->begun});
}

}  // namespace gatepost::session

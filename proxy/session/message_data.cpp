// Message data: DATA and the end of data, how it streams to the upstream, how it is refused, and how it ends
// (BDAT: chunks.cpp). A message ends upstream only where the client ended it.
#include <algorithm>
#include <utility>

#include "proxy/session/conversation.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using smtp::Awaited;
using smtp::Verb;
using Verdict = smtp::BodyScanner::Verdict;

namespace {

constexpr std::size_t kEndMarkSize = 3;  ///< ".CRLF"; the CRLF in front belongs to the message

}  // namespace

void Conversation::begin_data() {
    chunk_is_last_ = false;
    if (!upstream_) {
        answer(Verb::kData, replies::kUpstreamLost);
        return end_message(Origin::kUpstream, replies::kUpstreamLost.code, replies::kUpstreamLost.text);
    }
    if (transaction_->accepted + transaction_->pending == 0)
        return answer(Verb::kData, replies::kNoRecipients);
    actions_.send_to_upstream("DATA\r\n");
    await(Awaited::kData);
    ++owed_;
    enter(State::kAwaitingGoAhead);
}

/// The answer to DATA: 354, or a refusal.
void Conversation::take_go_ahead() {
    const smtp::Reply& reply = upstream_->reply();
    const bool chunked = transaction_->chunks_as_data;
    if (reply.code == 354 && transaction_->mail_refusal) {
        ++owed_;  // the client has heard nothing to its DATA yet
        return upstream_failed(replies::kUpstreamNonsense, "354 after refusing MAIL");
    }
    if (reply.code == 354) {
        begin_data_phase();
        if (!chunked) {
            pass_on(Verb::kData, reply);
            return enter(State::kReceivingData);
        }
        enter(State::kReceivingChunk);
        if (chunk_left_ == 0) end_chunk();
        return;
    }
    if (chunked) return refuse_data(reply, Origin::kUpstream);

    const bool out_of_step = has_unread_;
    pass_on(Verb::kData, reply);
    enter(State::kAwaitingCommand);
    if (!ended_without_recipients()) end_message(Origin::kUpstream, reply.code, reply.text);
    reset_upstream();
    if (out_of_step) end_out_of_step();
}

/// From here on only ending the connection makes the upstream forget the transaction.
void Conversation::begin_data_phase() {
    if (std::exchange(transaction_->data_begun, true)) return;
    actions_.report(MessagePhaseBegun{MessagePhase::kData});
}

void Conversation::await_final_answer() {
    actions_.report(MessagePhaseBegun{MessagePhase::kAnswer});
    enter(State::kAwaitingFinal);
}

std::size_t Conversation::take_data(ByteView bytes) {
    const smtp::BodyScanner::Result scanned = transaction_->scanner.scan(bytes);
    if (scanned.safe > 0) progressed_ = true;
    const bool ended = scanned.verdict == Verdict::kEnd;
    if (ended) actions_.report(CommandCompleted{});
    transaction_->received += scanned.safe;
    transaction_->received -= scanned.stuffed;
    if (ended) transaction_->received -= kEndMarkSize;
    // A dot that came alone may be the first octet of the end mark: it counts once it is known not to be.
    const std::uint64_t uncertain = ended ? 0 : 1;
    if (settings_.max_message_size > 0 && transaction_->received > settings_.max_message_size + uncertain) {
        refuse_size();
        if (ended) say_refusal();
        return scanned.safe;
    }
    if (scanned.verdict == Verdict::kBareNewline) {
        actions_.report(ProtocolBroken{Breach::kSmuggling});
        refuse_data(replies::kBareNewlineInData, Origin::kClient);
        return scanned.safe;
    }
    // Until the limits have allowed the whole of it, the message must not end upstream.
    policy::LimitBatch more = ended ? more_bytes(transaction_->received) : policy::LimitBatch();
    const std::size_t held = more.questions.empty() ? 0 : std::min(kEndMarkSize, scanned.safe);
    pass_data(bytes.substr(0, scanned.safe - held));
    transaction_->sent -= scanned.stuffed;
    if (!ended) return scanned.safe;
    transaction_->held_end = bytes.substr(scanned.safe - held, held);
    if (!asks_allowance(LimitedStep::What::kEndOfData, std::move(more), transaction_->received)) end_data();
    return scanned.safe;
}

/// The client has ended the message, and it may end upstream.
void Conversation::end_data() {
    if (!upstream_) {
        const smtp::Reply lost = smtp::to_reply(replies::kUpstreamLost);
        return refuse_whole_message(lost, Origin::kUpstream);
    }
    transaction_->bytes_reserved = std::max(transaction_->bytes_reserved, transaction_->received);
    pass_data(transaction_->held_end);
    transaction_->sent -= kEndMarkSize;
    await(Awaited::kEndOfData);
    ++owed_;
    await_final_answer();
}

/// All of it but its end is upstream: only an abrupt end of the connection takes it back.
void Conversation::refuse_whole_message(const smtp::Reply& reply, Origin origin) {
    drop_upstream();
    enter(State::kAwaitingCommand);
    pass_on(Verb::kData, reply);
    end_message(origin, reply.code, reply.text);
}

void Conversation::pass_data(ByteView safe) {
    if (safe.empty()) return;
    pass_trace();
    transaction_->sent += safe.size();
    actions_.send_to_upstream(safe);
}

void Conversation::pass_stuffed(ByteView safe) {
    while (!safe.empty()) {
        const smtp::DotStuffer::Result part = transaction_->stuffer.next(safe);
        pass_data(safe.substr(0, part.pass));
        if (part.then_dot) {
            pass_trace();
            actions_.send_to_upstream(".");
        }
        safe.remove_prefix(part.pass);
    }
}

/// The Received: field, in front of the first octet of the message.
void Conversation::pass_trace() {
    if (transaction_->has_trace || !settings_.received_header) return;
    transaction_->has_trace = true;
    const std::string field = received_field();
    transaction_->sent += field.size();
    actions_.send_to_upstream(field);
}

void Conversation::refuse_data(const smtp::StaticReply& reply, Origin origin) {
    refuse_data(smtp::to_reply(reply), origin);
}

/// The rest of the data, or of the chunk, is dropped; only then does the client listen for `reply`. The
/// upstream connection ends with it, so that what it has of the message is never finished.
void Conversation::refuse_data(const smtp::Reply& reply, Origin origin) {
    refusal_ = std::make_unique<smtp::Reply>(reply);
    refusal_origin_ = origin;
    refusal_ends_message_ = true;
    owed_ = 0;
    const bool in_data = state_ == State::kReceivingData;
    if (transaction_) reset_upstream();
    enter(in_data ? State::kRefusingData : State::kRefusingChunk);
    if (!in_data && chunk_left_ == 0) say_refusal();
}

std::size_t Conversation::take_refused_data(ByteView bytes) {
    progressed_ = true;
    const smtp::BodyScanner::Result scanned = transaction_->scanner.scan_refused(bytes);
    if (scanned.verdict != Verdict::kEnd) return scanned.safe;
    actions_.report(CommandCompleted{});
    say_refusal();
    return scanned.safe;
}

void Conversation::say_refusal() {
    const std::unique_ptr<smtp::Reply> refusal = std::move(refusal_);
    const bool chunk = state_ == State::kRefusingChunk;
    enter(State::kAwaitingCommand);
    pass_on(chunk ? Verb::kBdat : Verb::kData, *refusal);
    if (!refusal_ends_message_) return;
    chunks_are_refused_ = chunk && !chunk_is_last_;
    end_message(refusal_origin_, refusal->code, refusal->text);
}

void Conversation::take_final_answer() {
    const smtp::Reply& reply = upstream_->reply();
    enter(State::kAwaitingCommand);
    pass_on(chunk_is_last_ ? Verb::kBdat : Verb::kData, reply);
    // After a refused last chunk the upstream's state is indeterminate (RFC 3030 section 4.1).
    const bool indeterminate = chunk_is_last_ && !transaction_->chunks_as_data && !reply.is_positive();
    chunk_is_last_ = false;
    end_message(Origin::kUpstream, reply.code, reply.text);
    if (indeterminate) reset_upstream();
    if (client_gone_) close(CloseReason::kClientGone);
}

}  // namespace gatepost::session

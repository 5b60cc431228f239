// BDAT (RFC 3030): a chunk is announced upstream, or becomes DATA there; or it is dropped whole. What both
// have in common is in message_data.cpp.
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

/// A chunk that may not be sent at all is dropped up to this size; a larger one ends the session.
constexpr std::uint64_t kMaxDropped = 1024 * 1024;

}  // namespace

void Conversation::begin_chunk(const smtp::Command& command) {
    const smtp::Parsed<smtp::ChunkArguments> chunk = smtp::parse_chunk(command.argument);
    if (!chunk) {
        // How many octets follow cannot be known, so nothing behind this can be understood.
        const smtp::Refusal refusal = client_leg_.refusal(command, standing());
        refuse(Verb::kBdat, refusal != nullptr ? *refusal : chunk.error());
        return close(CloseReason::kProtocolError);
    }
    chunk_left_ = chunk->size;
    chunk_is_last_ = chunk->last;
    // Clients may pipeline chunks (RFC 3030 section 4.2): those behind a refused one are no errors of theirs.
    const bool follows_refused = std::exchange(chunks_are_refused_, chunks_are_refused_ && !chunk_is_last_);
    if (const smtp::Refusal refusal = client_leg_.refusal(command, standing())) {
        actions_.report(ProtocolBroken{Breach::kBadSequence});
        if (chunk_left_ > kMaxDropped) return say_and_close(*refusal, CloseReason::kProtocolError);
        if (follows_refused || !ends_with_this_error()) drop_chunk(*refusal);
        return;
    }
    if (!upstream_) return refuse_data(replies::kUpstreamLost, Origin::kUpstream);
    if (transaction_->accepted == 0) return drop_chunk(replies::kNoRecipients);
    const std::uint64_t limit = settings_.max_message_size;
    if (limit > 0 && chunk_left_ > limit - std::min(limit, transaction_->received)) return refuse_size();
    if (chunk_is_last_ && chunk_left_ == 0 && transaction_->chunk_scanner.is_inside_line_end()) {
        actions_.report(ProtocolBroken{Breach::kSmuggling});
        return refuse_data(replies::kBareNewlineInData, Origin::kClient);
    }
    client_leg_.enter(smtp::Phase::kChunks);
    const std::uint64_t size = transaction_->received + chunk_left_;
    if (asks_allowance(LimitedStep::What::kChunk, more_bytes(size), size)) return;
    take_chunk_up();
}

/// Now it may be sent.
void Conversation::take_chunk_up() {
    if (!upstream_) return refuse_data(replies::kUpstreamLost, Origin::kUpstream);
    transaction_->bytes_reserved =
        std::max(transaction_->bytes_reserved, transaction_->received + chunk_left_);
    send_chunk();
}

/// Announces the chunk upstream, or asks for 354 where chunks are unknown there; also where an upstream that
/// once said a word too many could be out of step: its 250 to a recipient, one place too late, would look
/// like the 250 to the last chunk. No word but 354 can be taken for the answer to DATA.
void Conversation::send_chunk() {
    const bool may_be_out_of_step = upstream_was_used_ || transaction_->was_pipelined;
    if (!upstream_->capabilities().chunking || may_be_out_of_step) {
        enter(State::kReceivingChunk);
        if (!transaction_->chunks_as_data) {
            transaction_->chunks_as_data = true;
            actions_.send_to_upstream("DATA\r\n");
            await(Awaited::kData);
            ++owed_;
            return enter(State::kAwaitingGoAhead);
        }
    } else {
        const bool with_trace = settings_.received_header && !transaction_->has_trace;
        std::string command = "BDAT ";
        command += std::to_string(chunk_left_ + (with_trace ? received_field().size() : 0));
        command += chunk_is_last_ ? " LAST\r\n" : "\r\n";
        actions_.send_to_upstream(command);
        begin_data_phase();
        await(chunk_is_last_ ? Awaited::kLastChunk : Awaited::kChunk);
        ++owed_;
        pass_trace();
        enter(State::kReceivingChunk);
    }
    if (chunk_left_ == 0) end_chunk();
}

std::size_t Conversation::take_chunk(ByteView bytes) {
    const ByteView ours = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), chunk_left_));
    const bool at_end = ours.size() == chunk_left_;
    const smtp::BodyScanner::Result scanned =
        transaction_->chunk_scanner.scan(ours, at_end && !chunk_is_last_);
    const bool bare_at_end = at_end && scanned.verdict == Verdict::kGoOn && scanned.safe < ours.size();
    if (scanned.verdict == Verdict::kBareNewline || bare_at_end) {
        actions_.report(ProtocolBroken{Breach::kSmuggling});
        refuse_data(replies::kBareNewlineInData, Origin::kClient);
        return 0;
    }
    if (scanned.safe > 0) progressed_ = true;
    transaction_->received += scanned.safe;
    chunk_left_ -= scanned.safe;
    if (transaction_->chunks_as_data) {
        pass_stuffed(ours.substr(0, scanned.safe));
    } else {
        pass_data(ours.substr(0, scanned.safe));
    }
    if (chunk_left_ == 0) end_chunk();
    return scanned.safe;
}

/// All octets of the chunk are upstream, or on their way.
void Conversation::end_chunk() {
    actions_.report(CommandCompleted{});
    if (transaction_->chunks_as_data && !chunk_is_last_) {
        // Only the last chunk's answer says that the message was accepted, and that one is the upstream's.
        enter(State::kAwaitingCommand);
        return answer(Verb::kBdat, replies::kChunkTaken);
    }
    if (transaction_->chunks_as_data) {
        pass_trace();
        actions_.send_to_upstream(transaction_->stuffer.end_mark());
        await(Awaited::kEndOfData);
        ++owed_;
    }
    if (chunk_is_last_) return await_final_answer();
    enter(State::kAwaitingCommand);
}

/// A chunk that has no place here: it is dropped, and all else stays as it is (RFC 5321 section 4.1.4).
void Conversation::drop_chunk(const smtp::StaticReply& reply) {
    refusal_ = std::make_unique<smtp::Reply>(smtp::to_reply(reply));
    refusal_ends_message_ = false;
    enter(State::kRefusingChunk);
    if (chunk_left_ == 0) say_refusal();
}

std::size_t Conversation::take_refused_chunk(ByteView bytes) {
    progressed_ = true;
    const std::size_t taken = std::min<std::uint64_t>(bytes.size(), chunk_left_);
    chunk_left_ -= taken;
    if (chunk_left_ > 0) return taken;
    actions_.report(CommandCompleted{});
    say_refusal();
    return taken;
}

void Conversation::take_chunk_answer(bool was_last) {
    const smtp::Reply& reply = upstream_->reply();
    if (state_ == State::kReceivingChunk) {
        // Answered before its octets were there: a refusal is believed, anything else cannot be.
        if (reply.is_positive())
            return upstream_failed(replies::kUpstreamNonsense, "answered a chunk too early");
        return refuse_data(reply, Origin::kUpstream);
    }
    if (was_last) return take_final_answer();
    pass_on(Verb::kBdat, reply);
    if (reply.is_positive()) return;
    chunks_are_refused_ = true;
    end_message(Origin::kUpstream, reply.code, reply.text);
    drop_upstream();
}

}  // namespace gatepost::session

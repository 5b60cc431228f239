// What a command does, and the ways to answer one.
#include "proxy/session/conversation.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using smtp::Verb;

/// Of the Received: field: the names in it are 255 octets at most, the rest is some 200.
constexpr std::uint64_t kLongestTrace = 1024;
constexpr std::uint64_t kLongestUserInTrace = 1024;  ///< 255 octets, each of which may be told in three

/// While answers of the upstream are outstanding, a command is taken only if it goes upstream behind them.
bool Conversation::must_wait(const smtp::Command& command) const {
    const bool goes_upstream = command.verb == Verb::kMail || command.verb == Verb::kRcpt ||
                               command.verb == Verb::kData || command.verb == Verb::kBdat;
    if (goes_upstream && upstream_ && !upstream_->can_send()) return true;
    // Only MAIL is said again should the connection be stale.
    if (goes_upstream && owed_ > 0 && is_on_trial()) return true;
    if (owed_ == 0) return false;
    if (command.verb == Verb::kRcpt && settings_.limits.has(policy::LimitMoment::kRecipient)) return true;
    if (client_leg_.refusal(command, standing()) != nullptr) return true;
    if (command.verb == Verb::kRcpt) return refusal_of_recipient(command.argument).has_value();
    return command.verb != Verb::kData || transaction_->accepted + transaction_->pending == 0;
}

void Conversation::obey(const smtp::Command& command, ByteView behind) {
    // Octets of a chunk follow their command, whether it is allowed or not (RFC 3030 section 4.1).
    if (command.verb == Verb::kBdat) return begin_chunk(command);
    const smtp::Refusal refusal = client_leg_.refusal(command, standing());
    if (refusal == nullptr) {
        perform(command, behind);
    } else {
        if (command.verb == Verb::kAuth) {
            report_auth(refusal == &replies::kTlsRequired ? AuthEnd::kTlsRequired : AuthEnd::kNotOffered,
                        auth::Reason::kNone);
        }
        refuse(command.verb, *refusal);
    }
    const bool data_was_refused = command.verb == Verb::kData && state_ == State::kAwaitingCommand;
    if (data_was_refused && !behind.empty()) end_out_of_step();
}

/// What stands behind a refused DATA was meant as message data. Obeyed as commands it would be smuggling.
void Conversation::end_out_of_step() {
    actions_.report(ProtocolBroken{Breach::kPipelining});
    say_and_close(replies::kOutOfStep, CloseReason::kProtocolError);
}

void Conversation::perform(const smtp::Command& command, ByteView behind) {
    switch (command.verb) {
        case Verb::kHelo:
        case Verb::kEhlo: return greet(command);
        case Verb::kStartTls: return start_tls(behind);
        case Verb::kAuth: return authenticate(command.argument);
        case Verb::kMail: return begin_transaction(command.argument);
        case Verb::kRcpt: return add_recipient(command.argument);
        case Verb::kData: return begin_data();
        case Verb::kRset: reset_transaction(); return answer(command.verb, replies::kOk);
        case Verb::kNoop: return answer(command.verb, replies::kOk);
        case Verb::kVrfy: return answer(command.verb, replies::kCannotVerify);
        case Verb::kHelp: return answer(command.verb, replies::kHelp);
        case Verb::kQuit: answer(command.verb, replies::kBye); return close(CloseReason::kQuit);
        case Verb::kBdat:
        case Verb::kExpn:
        case Verb::kEtrn:
        case Verb::kTurn:
        case Verb::kUnknown: return refuse(command.verb, replies::kNotImplemented);
    }
}

void Conversation::greet(const smtp::Command& command) {
    if (!smtp::is_greeting_name(command.argument)) return refuse(command.verb, replies::kBadGreetingName);
    // One that is still to forget a transaction may know the client by another name.
    if (command.argument != client_leg_.greeting_name()) release_upstream();
    reset_transaction();
    client_leg_.greeted(command.argument, command.verb == Verb::kEhlo);
    if (command.verb == Verb::kEhlo) {
        say_capabilities();
    } else {
        std::string line;
        smtp::append_lines(line, 250, settings_.hostname);
        actions_.send_to_client(line);
    }
    actions_.report(CommandAnswered{command.verb, 250});
}

/// Only what both sides can really do (transcripts D6). PIPELINING and CHUNKING are ours alone: commands wait
/// here, and chunks become DATA where the upstream knows no chunks.
void Conversation::say_capabilities() {
    std::string lines = settings_.hostname;
    lines += "\nPIPELINING\nSIZE";
    std::uint64_t size = settings_.max_message_size;
    // The upstream counts our Received: field too.
    std::uint64_t added = settings_.received_header ? kLongestTrace : 0;
    if (settings_.received_header && settings_.user_in_received) added += kLongestUserInTrace;
    const std::uint64_t takes = offer_.size_limit > added ? offer_.size_limit - added : offer_.size_limit;
    if (takes > 0 && (size == 0 || takes < size)) size = takes;
    if (size > 0) lines += " " + std::to_string(size);
    if (settings_.offers_tls && !tls_) lines += "\nSTARTTLS";
    if (const std::string mechanisms = offered_mechanisms(); !mechanisms.empty()) {
        lines += "\nAUTH" + mechanisms;
        if (settings_.legacy_auth_line) lines += "\nAUTH=" + mechanisms.substr(1);
    }
    if (offer_.enhanced_status_codes) lines += "\nENHANCEDSTATUSCODES";
    if (offer_.eight_bit_mime) lines += "\n8BITMIME";
    if (offer_.dsn) lines += "\nDSN";
    if (offer_.smtputf8) lines += "\nSMTPUTF8";
    lines += "\nCHUNKING";
    std::string out;
    smtp::append_lines(out, 250, lines);
    actions_.send_to_client(out);
}

void Conversation::start_tls(ByteView behind) {
    if (tls_) return refuse(Verb::kStartTls, replies::kTlsAlready);
    if (!settings_.offers_tls) return refuse(Verb::kStartTls, replies::kTlsNotOffered);
    if (!behind.empty()) {
        // Octets from before the handshake would be obeyed as if they came from inside it (users.md 7).
        actions_.report(ProtocolBroken{Breach::kStartTlsInjection});
        return say_and_close(replies::kAfterStartTls, CloseReason::kProtocolError);
    }
    if (!actions_.take_handshake_slot()) return answer(Verb::kStartTls, replies::kTlsBusy);
    answer(Verb::kStartTls, replies::kReadyForTls);
    enter(State::kAwaitingTls);
    actions_.start_tls();
}

void Conversation::say(const smtp::StaticReply& reply) {
    if (client_gone_) return;
    std::string out;
    smtp::append(out, reply, client_.session_id);
    actions_.send_to_client(out);
}

void Conversation::say(const smtp::Reply& reply) {
    if (client_gone_) return;
    std::string out;
    smtp::append(out, reply, client_.session_id);
    actions_.send_to_client(out);
}

void Conversation::answer(Verb verb, const smtp::StaticReply& reply) {
    say(reply);
    actions_.report(CommandAnswered{verb, reply.code});
}

/// An answer to a bad command: it counts towards max_errors.
void Conversation::refuse(Verb verb, const smtp::StaticReply& reply) {
    if (reply.code == 503) actions_.report(ProtocolBroken{Breach::kBadSequence});
    if (reply.code == 501) actions_.report(ProtocolBroken{Breach::kSyntax});
    if (reply.code == 500 && verb == Verb::kUnknown) actions_.report(ProtocolBroken{Breach::kUnknownCommand});
    if (!ends_with_this_error()) answer(verb, reply);
}

/// Counts a bad command. True: it was one too many, and the session is over.
bool Conversation::ends_with_this_error() {
    if (++errors_ <= static_cast<std::uint32_t>(settings_.max_errors)) return false;
    say_and_close(replies::kTooManyErrors, CloseReason::kErrorLimit);
    return true;
}

void Conversation::pass_on(Verb verb, const smtp::Reply& reply) {
    say(reply);
    actions_.report(CommandAnswered{verb, reply.code});
}

smtp::ClientLeg::Standing Conversation::standing() const noexcept {
    return {.tls_missing = settings_.require_tls && !tls_,
            .auth_missing = settings_.require_auth && !authenticated_ && !client_.is_trusted};
}

}  // namespace gatepost::session

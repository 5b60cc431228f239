// The policies of MAIL and RCPT: whose sender it may be, how large and to how many, and to whom. What they
// refuse is an answer like an upstream's, no error of the client's.
#include "proxy/session/conversation.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;

/// Answers MAIL when a policy refuses it; then no upstream has heard of it. A client that need not log in has
/// no senders of his own: `own_senders` does not concern it.
bool Conversation::refuses_sender(const smtp::MailArguments& mail) {
    const auto refuses = [this](Policy policy, ByteView address, const smtp::StaticReply& reply) {
        actions_.report(PolicyRefused{policy, address});
        answer(smtp::Verb::kMail, reply);
        return true;
    };
    if (mail.sender.empty()) {
        if (!settings_.null_sender) return refuses(Policy::kNullSender, "", replies::kNullSenderRefused);
    } else if (settings_.own_senders && authenticated_ &&
               !policy::is_own_sender(identity_.user, identity_.senders, mail.sender)) {
        return refuses(Policy::kSender, mail.sender, replies::kNotYourSender);
    }
    const std::uint64_t limit = settings_.max_message_size;
    if (limit > 0 && mail.size.value_or(0) > limit) return refuses(Policy::kSize, "", replies::kTooLarge);
    return false;
}

std::optional<smtp::StaticReply> Conversation::policy_on_recipient(ByteView recipient) const {
    if (!settings_.recipients.allows(recipient)) return replies::kRecipientRefused;
    if (transaction_->accepted + transaction_->pending >= settings_.max_recipients)
        return replies::kTooManyRecipients;
    return std::nullopt;
}

/// `refusal` of refusal_of_recipient(): whether it was a policy's.
void Conversation::report_recipient_policy(const smtp::StaticReply& refusal, ByteView argument) {
    if (refusal.text == replies::kTooManyRecipients.text)
        return actions_.report(PolicyRefused{Policy::kRecipients, ""});
    if (refusal.text != replies::kRecipientRefused.text) return;
    const smtp::Parsed<smtp::RcptArguments> rcpt = smtp::parse_rcpt(argument);
    if (rcpt) actions_.report(PolicyRefused{Policy::kRecipient, rcpt->recipient});
}

/// The message has grown beyond the limit.
void Conversation::refuse_size() {
    actions_.report(PolicyRefused{Policy::kSize, ""});
    refuse_data(replies::kTooLarge, Origin::kGateway);
}

}  // namespace gatepost::session

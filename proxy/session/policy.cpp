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

std::optional<Conversation::RecipientRefusal> Conversation::policy_on_recipient(ByteView recipient) const {
    if (!settings_.recipients.allows(recipient))
        return RecipientRefusal{replies::kRecipientRefused, PolicyRefused{Policy::kRecipient, recipient}};
    if (transaction_->accepted + transaction_->pending >= settings_.max_recipients)
        return RecipientRefusal{replies::kTooManyRecipients, PolicyRefused{Policy::kRecipients, ""}};
    return std::nullopt;
}

/// The message has grown beyond the limit.
void Conversation::refuse_size() {
    actions_.report(PolicyRefused{Policy::kSize, ""});
    refuse_data(replies::kTooLarge, Origin::kPolicy);
}

}  // namespace gatepost::session

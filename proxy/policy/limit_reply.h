// What a client hears when a limit refuses him: names the limit and says when to try again. Pure.
#pragma once

#include "proxy/policy/limits.h"
#include "proxy/smtp/reply.h"

namespace gatepost::policy {

/// Which command, or none, the reply is to: that decides about its code.
enum class LimitReplyTo {
    kGreeting,  ///< the connection closes behind it
    kAuth,
    kTransaction,  ///< MAIL, RCPT and message data
};

/// `refusal` by `rule`; of action kDelay as of kDefer: it would be too long.
[[nodiscard]] smtp::Reply limit_reply(LimitReplyTo to, const LimitRule& rule, const LimitRefusal& refusal);

/// The store could not say.
[[nodiscard]] smtp::Reply limit_unknown_reply(LimitReplyTo to);

}  // namespace gatepost::policy

// What the grammar of one mechanism learns from a client's messages. A value; the thread of its exchange.
#pragma once

#include <string>

#include "auth/dialogue/verdict.h"

namespace gatepost::auth {

enum class MessageCheck {
    kGood,
    kMalformed,     ///< not of the mechanism's form
    kUnacceptable,  ///< of its form, but with a name or password that nobody can have, or acting for
                    ///< somebody else
};

/// Names are kept over the messages of one exchange, the rest is about the last one.
struct Heard {
    std::string user;          ///< whom the client has named so far
    std::string authzid;       ///< for whom it acts, as far as it said so in a good message
    std::string realm;         ///< of which realm it says the user is: DIGEST-MD5
    std::string binding_type;  ///< of the channel binding that it uses: "tls-exporter"
    Reason reason = Reason::kNone;
    bool believes_no_binding = false;  ///< it could bind, but believes that we cannot: SCRAM's flag "y"
    bool has_password = false;
    bool needs_record = false;

    [[nodiscard]] MessageCheck malformed() {
        reason = Reason::kBadMessage;
        return MessageCheck::kMalformed;
    }
    [[nodiscard]] MessageCheck unacceptable(Reason why = Reason::kBadMessage) {
        reason = why;
        return MessageCheck::kUnacceptable;
    }
};

}  // namespace gatepost::auth

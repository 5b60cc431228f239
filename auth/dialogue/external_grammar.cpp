#include "auth/dialogue/external_grammar.h"

#include "auth/dialogue/names.h"

namespace gatepost::auth {

MessageCheck ExternalGrammar::next(ByteView message, Heard& heard) {
    if (!message.empty() && !is_acceptable_name(message)) return heard.unacceptable();
    heard.authzid = message;
    return MessageCheck::kGood;
}

}  // namespace gatepost::auth

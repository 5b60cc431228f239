#include "auth/dialogue/message.h"

#include <type_traits>

#include "auth/dialogue/mechanisms.h"

namespace gatepost::auth {

MessageGrammar::MessageGrammar(std::string_view mechanism) {
    const Mechanism* const known = find_mechanism(mechanism);
    if (known == nullptr) return;
    messages_left_ = known->client_messages;
    if (known->asks_elsewhere) grammar_ = GssGrammar(mechanism);
    if (known->proof_size != 0) grammar_ = ScramGrammar(known->needs_binding, known->proof_size);
    if (mechanism == "PLAIN") grammar_ = PlainGrammar();
    if (mechanism == "LOGIN") grammar_ = LoginGrammar();
    if (mechanism == "CRAM-MD5") grammar_ = CramGrammar();
    if (mechanism == "DIGEST-MD5") grammar_ = DigestGrammar();
    if (mechanism == "NTLM") grammar_ = NtlmGrammar();
    if (mechanism == "EXTERNAL") grammar_ = ExternalGrammar();
}

MessageGrammar::Check MessageGrammar::next(ByteView message) {
    heard_.has_password = false;
    heard_.needs_record = false;
    if (messages_left_ == 0) return heard_.malformed();
    --messages_left_;
    const Check check = std::visit(
        [&](auto& grammar) {
            if constexpr (std::is_same_v<decltype(grammar), std::monostate&>) {
                return heard_.malformed();
            } else {
                return grammar.next(message, heard_);
            }
        },
        grammar_);
    if (check != Check::kGood) messages_left_ = 0;
    return check;
}

}  // namespace gatepost::auth

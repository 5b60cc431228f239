// The strict grammar of each mechanism's client messages: what a SASL library is allowed to see, and whom the
// client names. Never judges a password. Pure; one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "auth/dialogue/cram_grammar.h"
#include "auth/dialogue/digest_grammar.h"
#include "auth/dialogue/external_grammar.h"
#include "auth/dialogue/gss_grammar.h"
#include "auth/dialogue/heard.h"
#include "auth/dialogue/names.h"
#include "auth/dialogue/ntlm_grammar.h"
#include "auth/dialogue/password_grammar.h"
#include "auth/dialogue/scram_grammar.h"
#include "auth/dialogue/verdict.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// The password in a message that MessageGrammar::has_password() was true for.
[[nodiscard]] inline ByteView password_in(ByteView message) {
    return message.substr(message.rfind('\0') + 1);  // npos + 1 is the beginning
}

/// Reads the decoded messages of one exchange in order.
class MessageGrammar {
  public:
    using Check = MessageCheck;

    /// `mechanism` in upper case. Of an unknown one every message is malformed.
    explicit MessageGrammar(std::string_view mechanism);

    /// Checks the next client message. After anything but kGood no further message is good. Whether the first
    /// may come with the command (Mechanism::server_first) is the Exchange's to hold.
    [[nodiscard]] Check next(ByteView message);

    /// Why the last message was not good.
    [[nodiscard]] Reason reason() const noexcept { return heard_.reason; }

    /// Whether the last message was good and held the password: only such a step may hash.
    [[nodiscard]] bool has_password() const noexcept { return heard_.has_password; }

    /// Whether the last message was good and is one for whose step the user's record must be at hand.
    [[nodiscard]] bool needs_record() const noexcept { return heard_.needs_record; }

    /// Whom the client has named so far, "" if nobody (EXTERNAL and GSSAPI never do).
    [[nodiscard]] const std::string& user() const noexcept { return heard_.user; }

    /// For whom the client acts, where it has said so in a good message; but for EXTERNAL that is user().
    /// Valid until the next message.
    [[nodiscard]] std::string_view authzid() const noexcept { return heard_.authzid; }

    /// The realm that the client says the user is of, "" for none (DIGEST-MD5). Valid until the next message.
    [[nodiscard]] std::string_view realm() const noexcept { return heard_.realm; }

    /// The channel binding that the client uses ("tls-exporter"), "" for none. A name that we know, not
    /// necessarily one that this connection has. Valid until the next message.
    [[nodiscard]] std::string_view binding_type() const noexcept { return heard_.binding_type; }

    /// The client could bind, but believes that we cannot: where we can, somebody in between has lied.
    [[nodiscard]] bool believes_no_binding() const noexcept { return heard_.believes_no_binding; }

  private:
    using Grammar = std::variant<std::monostate, PlainGrammar, LoginGrammar, ScramGrammar, CramGrammar,
                                 DigestGrammar, NtlmGrammar, ExternalGrammar, GssGrammar>;

    Grammar grammar_;        // std::monostate: no message is good
    int messages_left_ = 0;  // of those that the mechanism has
    Heard heard_;
};

}  // namespace gatepost::auth

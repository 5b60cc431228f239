// The SASL mechanisms that Gatepost knows, and the grammar of the AUTH command that names one. Pure tables;
// says nothing about what is offered. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"

namespace gatepost::auth {

struct Mechanism {
    std::string_view name;       ///< upper case, as in the EHLO line
    bool is_plaintext = false;   ///< the password itself crosses the wire: only under TLS unless configured
                                 ///< otherwise
    int client_messages = 0;     ///< how many the client sends at most
    bool server_first = false;   ///< it begins with a challenge: there is no initial response
    bool client_first = false;   ///< without an initial response the client is asked by an empty challenge
    bool needs_binding = false;  ///< a -PLUS: the client must bind to the TLS channel
    bool asks_elsewhere =
        false;                   ///< the engine asks somebody else (a KDC), and may wait for it: no record of
                                 ///< ours proves anything, and no user is known before the engine names him
    std::size_t proof_size = 0;  ///< SCRAM: octets of its hash; 0 for all others
};

/// Every mechanism whose messages have a grammar here, in no order of preference.
[[nodiscard]] std::span<const Mechanism> known_mechanisms();

/// nullptr when `name` (upper case) is none of them.
[[nodiscard]] const Mechanism* find_mechanism(std::string_view name);

/// Whether `name` (upper case) sends the password itself. Unknown mechanisms count as plaintext: the safe
/// side.
[[nodiscard]] bool is_plaintext(std::string_view name);

/// What stands behind the verb AUTH.
struct AuthArguments {
    std::string mechanism;            ///< upper case; well formed, not necessarily known
    std::optional<ByteView> initial;  ///< the initial response as sent (base64 or "="), a view into the line
};

/// RFC 4954: mechanism [SP initial-response], nothing else; nothing = 501. Blanks at either end of
/// `arguments` do no harm.
[[nodiscard]] std::optional<AuthArguments> parse_auth_arguments(ByteView arguments);

}  // namespace gatepost::auth

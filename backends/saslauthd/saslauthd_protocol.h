// What saslauthd says and hears on its socket: four counted strings, and one counted line back. Pure. Any
// thread.
#pragma once

#include <string_view>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

/// The longest password that saslauthd reads; of a longer one it says "NO", as of a wrong one.
inline constexpr std::size_t kSaslauthdPasswordLimit = 256;

/// Requires that no part is longer than 65535 octets.
[[nodiscard]] Secret saslauthd_request(std::string_view user, ByteView password, std::string_view service,
                                       std::string_view realm);

struct SaslauthdReply {
    enum class Kind {
        kIncomplete,
        kAccepted,
        kRefused,
        kTrouble,   ///< a "NO" that says that the daemon could not look: nothing about the password
        kNonsense,  ///< no reply of saslauthd
    };
    Kind kind = Kind::kIncomplete;
    ByteView text;  ///< the whole line; valid as long as what was read
};

/// Looks at everything received so far; what follows the reply is not looked at.
[[nodiscard]] SaslauthdReply read_saslauthd_reply(ByteView received);

}  // namespace gatepost::backends

// The grammars of mechanisms that show no user here: EXTERNAL (RFC 4422 appendix A), whose user is the
// certificate's, and those that are libsasl's alone. Pure.
#pragma once

#include <cstddef>

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// One message: nothing, or whom the client acts for. Whether that is the certificate's user is not for a
/// grammar to know.
class ExternalGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);
};

/// GSSAPI, NTLM and the like: only the sizes are held, and the number of messages is the table's.
class OpaqueGrammar {
  public:
    static constexpr std::size_t kMaxMessageSize = 12288;

    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);
};

}  // namespace gatepost::auth

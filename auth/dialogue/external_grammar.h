// The grammar of EXTERNAL (RFC 4422 appendix A), which shows no user: that is whom the certificate names.
// Pure.
#pragma once

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// One message: nothing, or whom the client acts for. Whether that is the certificate's user is not for a
/// grammar to know.
class ExternalGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);
};

}  // namespace gatepost::auth

// The grammar of CRAM-MD5 (RFC 2195): one message, a name and a digest. Computes no digest. Pure.
#pragma once

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

class CramGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);
};

}  // namespace gatepost::auth

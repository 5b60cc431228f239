// The grammar of DIGEST-MD5's digest-response (RFC 2831 section 2.1.2): a list of directives, then an empty
// message for the server's answer. Computes no digest, and knows no security layer. Pure.
#pragma once

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

class DigestGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);

  private:
    enum class State { kResponse, kEnd };
    State state_ = State::kResponse;
};

}  // namespace gatepost::auth

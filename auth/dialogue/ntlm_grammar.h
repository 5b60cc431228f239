// The grammar of NTLM's two client messages (MS-NLMP 2.2.1): where its fields lie, and whom the second one
// names. Computes no response. Pure.
#pragma once

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// NEGOTIATE_MESSAGE, then AUTHENTICATE_MESSAGE.
class NtlmGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);

  private:
    enum class State { kNegotiate, kAuthenticate, kEnd };

    [[nodiscard]] MessageCheck negotiate(ByteView message, Heard& heard);
    [[nodiscard]] MessageCheck authenticate(ByteView message, Heard& heard) const;

    State state_ = State::kNegotiate;
    bool is_unicode_ = false;  // the first message decides it for both, as it does for libsasl
};

}  // namespace gatepost::auth

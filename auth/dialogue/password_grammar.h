// The grammars of the mechanisms that send the password itself: PLAIN (RFC 4616) and LOGIN. Never judge one.
// Pure.
#pragma once

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

class PlainGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);
};

class LoginGrammar {
  public:
    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);

  private:
    enum class State { kUser, kPassword };
    State state_ = State::kUser;
};

}  // namespace gatepost::auth

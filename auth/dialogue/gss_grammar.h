// The grammar of GSSAPI (RFC 4752) and GSS-SPNEGO, as far as it can be held without a key: the frame of the
// first token, and sizes. Shows no user: who it is, the engine says in the end. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

class GssGrammar {
  public:
    static constexpr std::size_t kMaxMessageSize = 12288;

    /// `mechanism`: "GSSAPI" (the first token is Kerberos 5's) or "GSS-SPNEGO".
    explicit GssGrammar(std::string_view mechanism);

    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);

  private:
    std::string_view object_id_;  // of the mechanism that the first token must be of
    bool is_first_ = true;
};

}  // namespace gatepost::auth

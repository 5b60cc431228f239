// The grammar of the client's messages in SCRAM (RFC 5802, RFC 7677), with and without channel binding.
// Computes no proof and compares no binding: it holds what can be held without the keys. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "auth/dialogue/heard.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// client-first, client-final, and the empty answer to the server's signature, which in SMTP comes as one
/// more challenge.
class ScramGrammar {
  public:
    /// `needs_binding`: it is the -PLUS. `proof_size`: octets of the mechanism's hash.
    ScramGrammar(bool needs_binding, std::size_t proof_size)
        : needs_binding_(needs_binding), proof_size_(proof_size) {}

    [[nodiscard]] MessageCheck next(ByteView message, Heard& heard);

  private:
    enum class State { kFirst, kFinal, kEnd };

    [[nodiscard]] MessageCheck first(ByteView message, Heard& heard);
    [[nodiscard]] MessageCheck final(ByteView message, Heard& heard) const;
    [[nodiscard]] bool is_right_flag(ByteView flag) const;
    [[nodiscard]] bool repeats_header(ByteView encoded) const;

    bool needs_binding_;
    std::size_t proof_size_;
    State state_ = State::kFirst;
    std::string header_;  // gs2-header as sent, both commas included
    std::string nonce_;   // the client's part
};

}  // namespace gatepost::auth

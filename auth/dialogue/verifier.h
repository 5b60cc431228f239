// The seam between a conversation, which knows AUTH as SMTP frames it, and the judge behind it (mechanism
// engine, credential stores, verify pool). Pure interface. One verifier per worker; called and answering on
// that worker's thread.
#pragma once

#include <optional>
#include <string>

#include "auth/dialogue/channel.h"
#include "auth/dialogue/verdict.h"
#include "proxy/base/ids.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// One client message of an AUTH exchange, already decoded from base64 and checked by the mechanism's
/// grammar.
struct Step {
    std::string mechanism;          ///< upper case, one that was offered
    bool is_first = true;           ///< the first step makes a fresh exchange
    std::optional<Secret> message;  ///< nothing: the client sent no initial response
    Channel channel{};              ///< of a first step whose mechanism leans on it
};

class Verifier {
  public:
    virtual ~Verifier() = default;

    /// Judges one step of the exchange of connection `id`. Exactly one verdict is delivered for it by the
    /// receiver that the implementation was made with, never inside this call, unless cancel(id) comes first.
    /// A step must not be given before the one before it was answered.
    virtual void step(ConnectionId id, Step step) = 0;

    /// Forgets the exchange of `id`, running or not; no verdict for it is delivered afterwards. Harmless when
    /// there is none.
    virtual void cancel(ConnectionId id) = 0;
};

/// Where verdicts arrive: the worker that owns the connections.
class VerdictReceiver {
  public:
    virtual ~VerdictReceiver() = default;
    virtual void on_verdict(ConnectionId id, Verdict verdict) = 0;
};

}  // namespace gatepost::auth

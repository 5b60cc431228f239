// The seam to what implements SASL mechanisms (Cyrus SASL). One exchange object per AUTH command, never
// reused, whatever its outcome (facts.md 1: a reused sasl_conn_t can answer OK as the user before).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/dialogue/credential_store.h"
#include "auth/dialogue/verdict.h"

namespace gatepost::auth {

/// Checks a password against the record that was prefetched for this exchange. Runs wherever the step runs,
/// may take long (it hashes), and remembers what it said: an engine's OK counts only where this record
/// agrees.
class PasswordCheck {
  public:
    virtual ~PasswordCheck() = default;
    [[nodiscard]] virtual bool matches(std::string_view user, ByteView password) = 0;
};

class MechanismExchange {
  public:
    virtual ~MechanismExchange() = default;

    /// Runs one step. `message` nothing = no initial response. One thread at a time, any thread. May hash
    /// through `check`.
    [[nodiscard]] virtual Verdict step(const std::optional<Secret>& message, const Lookup& lookup,
                                       PasswordCheck& check) = 0;
};

class MechanismEngine {
  public:
    virtual ~MechanismEngine() = default;

    /// A fresh exchange; nullptr when the engine has no such mechanism. Any thread, after the engine was
    /// initialised.
    [[nodiscard]] virtual std::unique_ptr<MechanismExchange> begin(std::string_view mechanism) = 0;
};

}  // namespace gatepost::auth

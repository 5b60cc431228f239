// The seam to what implements SASL mechanisms (Cyrus SASL). One exchange object per AUTH command, never
// reused, whatever its outcome (facts.md 1: a reused sasl_conn_t can answer OK as the user before).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/dialogue/verdict.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// Speaks for the record that was prefetched for this exchange. Runs wherever the step runs, and remembers
/// what it said: an engine's OK counts only where this record agrees.
class PasswordCheck {
  public:
    virtual ~PasswordCheck() = default;

    /// Whether `password` is the user's. May take long: it hashes.
    [[nodiscard]] virtual bool matches(std::string_view user, ByteView password) = 0;

    /// The user's keys for the hash of `mechanism` as libsasl's property authPassword
    /// ("SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey"). Keys of nobody for who has none, so that all
    /// exchanges look alike; empty: there are none at all.
    [[nodiscard]] virtual Secret scram_keys(std::string_view mechanism) = 0;

    /// The password itself, for mechanisms that cannot do without; a password of nobody for who has none
    /// here.
    [[nodiscard]] virtual Secret plain_password() = 0;
};

/// What a fresh exchange is told once.
struct ExchangeFacts {
    std::string binding_type;   ///< of the channel binding that holds here: "tls-exporter"; "" = none
    std::string binding;        ///< its octets
    std::string external_name;  ///< for EXTERNAL
};

class MechanismExchange {
  public:
    virtual ~MechanismExchange() = default;

    /// Runs one step. `message` nothing = no initial response. One thread at a time, any thread. May hash
    /// through `check`.
    [[nodiscard]] virtual Verdict step(const std::optional<Secret>& message, PasswordCheck& check) = 0;
};

class MechanismEngine {
  public:
    virtual ~MechanismEngine() = default;

    /// A fresh exchange; nullptr when the engine has no such mechanism. Any thread, after the engine was
    /// initialised.
    [[nodiscard]] virtual std::unique_ptr<MechanismExchange> begin(std::string_view mechanism,
                                                                   const ExchangeFacts& facts) = 0;
};

}  // namespace gatepost::auth

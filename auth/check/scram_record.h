// {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey as Dovecot writes it (RFC 5802, RFC 7677): made from a
// password and checked against one for PLAIN and LOGIN. Never holds the password. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// SASLprep (RFC 4013) of a password in UTF-8; nothing when it is not UTF-8, prohibited, or empty afterwards.
[[nodiscard]] Result<Secret> saslprep(ByteView password);

struct ScramRecord {
    static constexpr int kMinIterations = 4096;
    static constexpr int kMaxIterations = 1'000'000;
    static constexpr int kDefaultIterations = 10'000;

    int iterations = 0;
    std::string salt;   ///< raw octets, 1-1024 of them
    Secret stored_key;  ///< 32 octets
    Secret server_key;  ///< 32 octets

    /// `body`: what stands behind "{SCRAM-SHA-256}".
    [[nodiscard]] static Result<ScramRecord> parse(ByteView body);
    [[nodiscard]] static Result<ScramRecord> make(ByteView password, std::string salt, int iterations);
    [[nodiscard]] static Result<ScramRecord> make(ByteView password);

    [[nodiscard]] bool matches(ByteView password) const;
    [[nodiscard]] Secret text() const;
    [[nodiscard]] std::string describe() const;
};

}  // namespace gatepost::auth

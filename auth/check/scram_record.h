// {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey as Dovecot writes it (RFC 5802, RFC 7677), likewise with
// SHA-1 and SHA-512: made from a password, checked against one for PLAIN and LOGIN, and told to libsasl for
// SCRAM. Never holds the password. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// SASLprep (RFC 4013) of a password in UTF-8; nothing when it is not UTF-8, prohibited, or empty afterwards.
[[nodiscard]] Result<Secret> saslprep(ByteView password);

/// The hash of a SCRAM mechanism and of the records that serve it.
enum class ScramHash { kSha1, kSha256, kSha512 };

/// "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512": the mechanism without -PLUS, and the scheme of its
/// records.
[[nodiscard]] std::string_view to_string(ScramHash hash);

/// The hash of a mechanism, with or without "-PLUS"; nothing for one that no record here can serve.
[[nodiscard]] std::optional<ScramHash> scram_hash_of(std::string_view mechanism);

/// Octets of StoredKey and of ServerKey: 20, 32 or 64.
[[nodiscard]] std::size_t key_size(ScramHash hash);

struct ScramRecord {
    static constexpr int kMinIterations = 4096;
    static constexpr int kMaxIterations = 1'000'000;
    static constexpr int kDefaultIterations = 10'000;
    static constexpr std::size_t kDefaultSaltSize = 16;
    static constexpr std::size_t kMaxSaltSize = 1024;

    ScramHash hash = ScramHash::kSha256;
    int iterations = 0;
    std::string salt;   ///< raw octets, 1-1024 of them
    Secret stored_key;  ///< key_size(hash) octets
    Secret server_key;  ///< key_size(hash) octets

    /// `body`: what stands behind "{SCRAM-SHA-256}" or its like.
    [[nodiscard]] static Result<ScramRecord> parse(ScramHash hash, ByteView body);
    [[nodiscard]] static Result<ScramRecord> make(ScramHash hash, ByteView password, std::string salt,
                                                  int iterations);
    [[nodiscard]] static Result<ScramRecord> make(ScramHash hash, ByteView password);

    [[nodiscard]] bool matches(ByteView password) const;
    [[nodiscard]] Secret text() const;

    /// The property `authPassword` as libsasl's SCRAM reads it:
    /// "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey".
    [[nodiscard]] Secret auth_password() const;
    [[nodiscard]] std::string describe() const;
};

}  // namespace gatepost::auth

// One stored password as interface.md lists them: "{SCRAM-SHA-256}…", crypt(3), "{ARGON2ID}…", "{PLAIN}…".
// Parses, makes and checks them; a stored hash is input too, so its cost is bounded when it is parsed. Never
// prints a secret. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "auth/check/argon2_record.h"
#include "auth/check/crypt_record.h"
#include "auth/check/scram_record.h"
#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// What a new record can be made as.
enum class Scheme {
    kScramSha256,
    kScramSha1,
    kScramSha512,
    kArgon2id,
    kYescrypt,
    kBcrypt,
    kSha512Crypt,
    kSha256Crypt,
    kPlain
};

inline constexpr Scheme kDefaultScheme = Scheme::kScramSha256;

/// "SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-512", "ARGON2ID", "YESCRYPT", "BLF-CRYPT", "SHA512-CRYPT",
/// "SHA256-CRYPT", "PLAIN".
[[nodiscard]] std::string_view to_string(Scheme scheme);

/// The scheme of that name, in any case, with or without braces; the error lists the names there are.
[[nodiscard]] Result<Scheme> parse_scheme(std::string_view name);

class Record {
  public:
    /// Reads a whole record, without a users file's escapes. The error says what is wrong and what to do, and
    /// shows nothing of the record but its scheme.
    [[nodiscard]] static Result<Record> parse(ByteView text);

    /// A fresh record with a random salt and the scheme's default cost. Refuses passwords that nobody could
    /// log in with (decisions.md 4 and 10) or that the scheme would cut short. Hashes: takes milliseconds.
    [[nodiscard]] static Result<Record> make(Scheme scheme, ByteView password);

    /// Hashes `password` and compares in constant time. May take a second; wipes what it computed.
    [[nodiscard]] bool matches(ByteView password) const;

    /// Whether matches() is quick enough for a reactor.
    [[nodiscard]] bool is_cheap() const noexcept { return std::holds_alternative<Plain>(kind_); }

    /// Whether a user with this record can log in by `mechanism` (upper case).
    [[nodiscard]] bool serves(std::string_view mechanism) const;

    /// The stored keys that serve SCRAM; nullptr for a record of another kind. Lives as long as the record.
    [[nodiscard]] const ScramRecord* scram() const noexcept { return std::get_if<ScramRecord>(&kind_); }

    /// The password of a {PLAIN} record; nullptr for a record of another kind. Lives as long as the record.
    [[nodiscard]] const Secret* plain() const noexcept {
        const auto* const kind = std::get_if<Plain>(&kind_);
        return kind == nullptr ? nullptr : &kind->password;
    }

    /// The record as parse() reads it. A secret: for {PLAIN} it is the password itself.
    [[nodiscard]] Secret text() const;

    /// Scheme and cost, nothing secret: "{SCRAM-SHA-256} 4096 iterations". Records of equal text here cost
    /// the same.
    [[nodiscard]] std::string describe() const;

  private:
    struct Plain {
        Secret password;
    };
    using Kind = std::variant<ScramRecord, CryptRecord, Argon2Record, Plain>;

    explicit Record(Kind kind) : kind_(std::move(kind)) {}

    Kind kind_;
};

}  // namespace gatepost::auth

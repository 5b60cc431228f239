// Records of crypt(3): yescrypt, bcrypt, SHA-512, SHA-256 and the older ones that files from elsewhere still
// hold, with Dovecot's prefixes. Only methods whose cost can be bounded from their text are taken. Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

struct CryptRecord {
    Secret hash;  ///< "$y$…" or 13 octets of DES, without a {…} prefix

    /// `scheme`: the name between the braces in upper case, "" when the record begins with "$". `body`: what
    /// follows.
    [[nodiscard]] static Result<CryptRecord> parse(std::string_view scheme, ByteView body);

    /// `prefix`: "$y$", "$2b$", "$6$" or "$5$"; the cost is the method's usual one.
    [[nodiscard]] static Result<CryptRecord> make(std::string_view prefix, ByteView password);

    [[nodiscard]] bool matches(ByteView password) const;
    [[nodiscard]] Secret text() const;
    [[nodiscard]] std::string describe() const;
};

}  // namespace gatepost::auth

// {ARGON2ID}$argon2id$v=19$m=…,t=…,p=…$salt$hash (and Dovecot's {ARGON2I}), by libargon2, with bounded memory
// and time. Any thread; a check uses as much memory as the record says, 256 MiB at most.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

struct Argon2Record {
    bool is_id = true;  ///< argon2id, else argon2i
    Secret encoded;     ///< "$argon2id$…"
    std::string cost;   ///< "m=19456,t=2,p=1"

    /// `body`: what stands behind "{ARGON2ID}" or "{ARGON2I}", or the whole of a record that begins with
    /// "$argon2".
    [[nodiscard]] static Result<Argon2Record> parse(ByteView body);
    [[nodiscard]] static Result<Argon2Record> make(ByteView password);

    [[nodiscard]] bool matches(ByteView password) const;
    [[nodiscard]] Secret text() const;
    [[nodiscard]] std::string describe() const;
};

}  // namespace gatepost::auth

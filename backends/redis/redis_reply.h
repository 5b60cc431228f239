// One reply of a Redis server as a value. Its texts may be credentials, so they are wiped when they die. Any
// thread.
#pragma once

#include <string_view>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

struct RedisReply {
    enum class Kind { kNil, kStatus, kError, kText, kInteger, kArray };

    Kind kind = Kind::kNil;
    long long integer = 0;
    Secret octets;  ///< of kStatus, kError and kText
    std::vector<RedisReply> items;

    [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
    [[nodiscard]] bool is(Kind wanted, ByteView text) const noexcept {
        return kind == wanted && octets.reveal() == text;
    }
    /// "WRONGTYPE" of an error, all that is ever shown of one: what follows may repeat what was sent, even a
    /// password. "error" when it has no such word; empty for other kinds.
    [[nodiscard]] std::string_view error_code() const noexcept;
};

}  // namespace gatepost::backends

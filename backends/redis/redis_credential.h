// From what Redis answers about a user to what a store answers. Pure. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "auth/dialogue/credential_store.h"
#include "backends/redis/redis_reply.h"

namespace gatepost::backends {

/// `pattern` with each {user} replaced.
[[nodiscard]] std::string redis_key(std::string_view pattern, std::string_view user);

/// Of the reply to HGETALL. An empty hash is an unknown user; anything but a hash cannot be judged. A hash
/// with the field `scram-sha-256` alone has it for both records.
[[nodiscard]] auth::Lookup lookup_of(const RedisReply& reply, std::string_view user);

}  // namespace gatepost::backends

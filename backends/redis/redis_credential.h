// From what Redis answers about a user to what a store answers. Pure. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/dialogue/credential_store.h"
#include "backends/redis/redis_reply.h"

namespace gatepost::backends {

/// `pattern` with each {user} replaced.
[[nodiscard]] std::string redis_key(std::string_view pattern, std::string_view user);

/// The pattern of SCAN that finds the keys of all users, and perhaps others.
[[nodiscard]] std::string redis_scan_pattern(std::string_view pattern);

/// Whose key that is; nothing when it is no user's.
[[nodiscard]] std::optional<std::string> user_of_redis_key(std::string_view pattern, std::string_view key);

/// Of the reply to HGETALL. An empty hash is an unknown user; anything but a hash cannot be judged. A hash
/// with the field `scram-sha-256` alone has it for both records.
[[nodiscard]] auth::Lookup lookup_of(const RedisReply& reply, std::string_view user);

}  // namespace gatepost::backends

// Looks through the limits that a Redis counts, and forgets one. On the thread of the connection's loop.
#pragma once

#include <functional>
#include <string>

#include "backends/redis/redis_connection.h"
#include "proxy/policy/limit_store.h"

namespace gatepost::backends {

/// By SCAN, so the server goes on serving others; each step has the connection's deadline. `answer` runs
/// once, not inside this call; if the connection dies meanwhile, with an error.
void list_limits(RedisConnection& connection, std::string prefix, std::size_t most, std::string clock,
                 std::move_only_function<void(policy::LimitInventory::Entries)> answer);

/// Deletes nothing but a limit, whatever `key` is.
void forget_limit(RedisConnection& connection, const std::string& key,
                  std::move_only_function<void(Result<bool>)> answer);

}  // namespace gatepost::backends

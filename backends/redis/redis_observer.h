// What happens to a Redis connection, for logs and metrics. Is told no key, no value and no password.
#pragma once

#include <string_view>

namespace gatepost::backends {

/// What a connection is at. It rests between attempts, and then there is none.
enum class RedisUse {
    kNone,
    kOpening,  ///< a server is looked for, or greeted
    kIdle,
    kActive,  ///< an answer is awaited
};

/// Called on the loop's thread, from inside the connection: must not call it back. Views are valid during the
/// call.
class RedisObserver {
  public:
    virtual ~RedisObserver() = default;

    /// `server` is "192.0.2.1:6379".
    virtual void on_redis_connected(std::string_view server) = 0;
    /// An attempt failed, or a connection was lost. `server` may be empty: none was found.
    virtual void on_redis_lost(std::string_view server, std::string_view reason) = 0;
    virtual void on_redis_breaker(bool is_open) = 0;
    /// It begins with kNone; a connection that is destroyed says nothing.
    virtual void on_redis_use(RedisUse /*use*/) {}
};

}  // namespace gatepost::backends

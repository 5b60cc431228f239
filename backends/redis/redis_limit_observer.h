// What happens to a store of limits in Redis, for logs and metrics. Is told no key and no value.
#pragma once

#include <string_view>

#include "proxy/base/clock.h"

namespace gatepost::backends {

/// Called on the loop's thread, from inside the store: must not call it back. Views are valid during the
/// call.
class RedisLimitObserver {
  public:
    virtual ~RedisLimitObserver() = default;

    /// Redis does not count any more, until on_limit_store_back(). `reason` is for people.
    virtual void on_limit_store_away(std::string_view reason, unsigned replicas) = 0;
    virtual void on_limit_store_back() = 0;
    /// Redis has answered a batch.
    virtual void on_limit_answer(Duration took) = 0;
    /// It has not, or not what was asked; the question was sent or refused by the breaker.
    virtual void on_limit_error() = 0;
    virtual void on_limit_replicas(unsigned replicas) = 0;
};

}  // namespace gatepost::backends

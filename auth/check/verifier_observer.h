// What a verifier asked of the cache and of the backends, for metrics. Is told no password and no user.
#pragma once

#include <string_view>

#include "proxy/base/clock.h"

namespace gatepost::auth {

/// What became of one question to a backend.
enum class BackendAnswer {
    kOk,       ///< it knows the user, or accepts the password
    kDenied,   ///< it does not know the user, or refuses the password
    kError,    ///< it could not answer
    kTimeout,  ///< it did not answer by its deadline
};

/// Called on the worker's thread, from inside the verifier: must not call it back. Views are valid during the
/// call.
class VerifierObserver {
  public:
    virtual ~VerifierObserver() = default;

    virtual void on_cache_lookup(std::string_view backend, bool is_hit) = 0;
    virtual void on_backend_answer(std::string_view backend, BackendAnswer answer, Duration took) = 0;
};

}  // namespace gatepost::auth

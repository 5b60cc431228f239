// The seam to judges that are given the password itself and show no record (saslauthd, an LDAP bind). Pure
// interface. One service per worker: asked on that worker's thread, unless an implementation says more.
#pragma once

#include <functional>
#include <string_view>

#include "proxy/base/executor.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

enum class PasswordAnswer {
    kAccepted,
    kRefused,      ///< wrong password or unknown user: such a judge does not tell them apart
    kUnavailable,  ///< nothing is known about the password: 454, and nobody's failure is counted
    kTimedOut,     ///< as kUnavailable; the service had its time and did not answer
};

class PasswordService {
  public:
    virtual ~PasswordService() = default;

    /// Judges `password` of `user`; neither is needed after the call. `answer` is posted to `home` exactly
    /// once, never run inside this call; by the service's own deadline it is kTimedOut. `home` must
    /// outlive the service.
    virtual void check(std::string_view user, const Secret& password, Executor& home,
                       std::move_only_function<void(PasswordAnswer)> answer) = 0;
};

}  // namespace gatepost::auth

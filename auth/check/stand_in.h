// What unknown users of one store are judged by: a record of the kind that its users have, so that SCRAM
// shows them, and a hash costs them, the same. Set once, by the first user whose record can be read, and
// shared by all workers: one that followed the users would tell strangers by their challenges, which would
// change. Any thread.
#pragma once

#include <memory>
#include <mutex>

#include "auth/dialogue/credential_store.h"

namespace gatepost::auth {

class StandIn {
  public:
    using Credential = std::shared_ptr<const StoredCredential>;

    /// Of a store that mostly keeps passwords: what strangers are shown before anybody was seen.
    static constexpr ByteView kPlain = "{PLAIN}nobody has this password";

    /// `at_first`: a record that holds until a user was seen; empty = there is none, and get() says nothing.
    explicit StandIn(ByteView at_first = {});

    /// Nobody's credential, or nullptr.
    [[nodiscard]] Credential get() const;

    /// A user of the store. All but the first with a good record change nothing, nor does a record that is
    /// missing or cannot be read: nobody is judged by it, so it would stand out.
    void see(const StoredCredential& credential);

  private:
    mutable std::mutex mutex_;
    Credential credential_;  // under mutex_
    bool has_seen_ = false;  // under mutex_
};

}  // namespace gatepost::auth

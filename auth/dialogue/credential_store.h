// The seam to where credentials live. A backend finds the record of a user; it never judges a password. Any
// thread may ask.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/executor.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// One user as a store knows it. Immutable and shared: a snapshot may outlive a reload of its store.
struct StoredCredential {
    std::string user;                               ///< canonical name
    Secret record;                                  ///< "{SCHEME}…" as interface.md lists them
    Secret scram;                                   ///< of SCRAM-SHA-256 where it is not `record`; or empty
    std::map<std::string, std::string> attributes;  ///< senders, limit_class, upstream, …
    bool disabled = false;
};

struct Lookup {
    enum class Status { kFound, kUnknown, kUnavailable };
    Status status = Status::kUnavailable;
    bool is_timeout = false;  ///< of kUnavailable: the store had its time and did not answer
    std::shared_ptr<const StoredCredential> credential;  ///< set for kFound
    std::shared_ptr<const StoredCredential>
        stand_in;         ///< may be set for kUnknown: costs to check what this store's do
    std::string backend;  ///< who answered
};

class CredentialStore {
  public:
    virtual ~CredentialStore() = default;

    /// Asks for `user`. `answer` is posted to `home` exactly once, never run inside this call; a store that
    /// cannot answer by its own deadline says kUnavailable.
    virtual void lookup(std::string_view user, Executor& home,
                        std::move_only_function<void(Lookup)> answer) = 0;
};

}  // namespace gatepost::auth

// The seam to a store that keeps its caller waiting: somebody else's library, a database, a directory. Only
// threads that may be lost ask it.
#pragma once

#include <string>

#include "auth/dialogue/credential_store.h"

namespace gatepost::auth {

class BlockingLookup {
  public:
    virtual ~BlockingLookup() = default;

    struct Answer {
        Lookup lookup;
        std::string complaint;  ///< of kUnavailable: one printable line, nothing secret
    };

    /// Several threads at once. May never return; whoever asks keeps this object alive meanwhile. Must not
    /// throw.
    [[nodiscard]] virtual Answer find(const std::string& user) = 0;
};

}  // namespace gatepost::auth

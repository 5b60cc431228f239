// What `gatepost explain` must ask others for: a user's record of the backends, and counts of the running
// Gatepost. Main thread; blocks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/dialogue/credential_store.h"
#include "auth/dialogue/identity.h"
#include "conf/config.h"
#include "proxy/base/result.h"
#include "proxy/policy/limit_store.h"

namespace gatepost::commands {

struct FoundUser {
    enum class Status { kFound, kUnknown, kUnavailable, kJudgedElsewhere };

    Status status = Status::kUnknown;
    auth::Identity identity;  ///< as a login would give it; without attributes when it is judged elsewhere
    bool is_disabled = false;
    std::vector<std::string> told;  ///< a sentence for each backend that was asked
};

/// Asks the backends in their order, as a login would, but for no password.
[[nodiscard]] Result<FoundUser> find_user(const std::shared_ptr<const conf::Config>& config,
                                          const std::string& user);

/// Counts of the running process, asked one key at a time over admin.socket. When it cannot be asked once, it
/// is not asked again.
class RunningCounts {
  public:
    explicit RunningCounts(std::string socket);

    /// Unavailable when they are not known. What would be counted is `question`'s, of a user of `user_class`.
    [[nodiscard]] policy::LimitAnswer ask(const policy::LimitQuestion& question,
                                          const std::string& user_class);

    /// "": everything that was asked for is known.
    [[nodiscard]] const std::string& unknown_because() const noexcept { return unknown_because_; }

  private:
    const std::string socket_;
    std::string unknown_because_;
    bool is_reachable_ = true;
};

}  // namespace gatepost::commands

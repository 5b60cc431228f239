// What happens inside a verifier, step by step, for people: stands between it and its parts, passes
// everything on and changes nothing. Shows no password, no record and no message.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "auth/check/verifier.h"
#include "proxy/base/clock.h"
#include "proxy/base/executor.h"

namespace gatepost::commands {

/// The table: one row for each thing that happened, with the time since the beginning.
class AuthTrace {
  public:
    /// Rows are written to `out` on `home`'s thread; both outlive it, and everything that was made with it.
    AuthTrace(std::ostream& out, Executor& home) : out_(out), home_(home) {}
    AuthTrace(const AuthTrace&) = delete;
    AuthTrace& operator=(const AuthTrace&) = delete;

    /// Any thread; rows of one thread stay in order.
    void row(std::string_view what, std::string text);

    /// `parts` with an observer in front of each store, service and the engine. They live in this object.
    [[nodiscard]] auth::StoreVerifier::Parts watch(auth::StoreVerifier::Parts parts);

  private:
    std::ostream& out_;
    Executor& home_;
    const TimePoint began_ = Clock::now();
    std::unique_ptr<auth::MechanismEngine> engine_;
};

/// "3.2 ms"
[[nodiscard]] std::string milliseconds(Duration duration);

}  // namespace gatepost::commands

// The password check of one AUTH attempt against its prefetched record. Unknown users are checked against a
// stand-in that costs the same and never agrees. Remembers what it said. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "auth/check/record.h"
#include "auth/dialogue/mechanism_engine.h"

namespace gatepost::auth {

class RecordCheck final : public PasswordCheck {
  public:
    using Match = bool (*)(const Record&, ByteView password);

    /// `user`: whom the client named. `record`: the user's own or a stand-in. `is_known`, `is_disabled`: what
    /// the store said.
    RecordCheck(std::string user, const Record& record, bool is_known, bool is_disabled, Match match)
        : user_(std::move(user)),
          record_(record),
          is_known_(is_known),
          is_disabled_(is_disabled),
          match_(match) {}

    [[nodiscard]] bool matches(std::string_view user, ByteView password) override {
        agreed_ = false;
        reason_ = Reason::kEngineFailed;  // asked about somebody else: nobody's password is right then
        if (user != user_) return false;
        const bool is_equal = match_(record_, password);
        // Only who knows the password may learn that the account is disabled.
        reason_ = !is_known_ ? Reason::kUnknownUser
                             : (!is_equal ? Reason::kWrongPassword
                                          : (is_disabled_ ? Reason::kDisabled : Reason::kNone));
        agreed_ = is_equal && is_known_ && !is_disabled_;
        return agreed_;
    }

    /// Whether the last question was answered with yes.
    [[nodiscard]] bool agreed() const noexcept { return agreed_; }

    /// Why not; kEngineFailed when it was never asked.
    [[nodiscard]] Reason reason() const noexcept { return reason_; }

  private:
    const std::string user_;
    const Record& record_;
    const bool is_known_;
    const bool is_disabled_;
    const Match match_;
    bool agreed_ = false;
    Reason reason_ = Reason::kEngineFailed;
};

}  // namespace gatepost::auth

// What the record of one AUTH attempt says, to a password, to a proof made from keys, or to a certificate.
// Unknown users are judged by a stand-in that costs the same and never agrees. Remembers what it said. One
// thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/check/record.h"
#include "auth/check/scram_fake.h"
#include "auth/dialogue/mechanism_engine.h"

namespace gatepost::auth {

class RecordCheck final : public PasswordCheck {
  public:
    using Match = bool (*)(const Record&, ByteView password);

    struct Subject {
        std::string user;  ///< whom the client named
        /// The user's own record or a stand-in; nullptr when a service judges passwords instead: see
        /// assume().
        std::shared_ptr<const Record> record;
        bool is_known = false;
        bool is_disabled = false;
    };

    /// `fake` outlives the check.
    RecordCheck(Subject subject, Match match, const ScramFake& fake)
        : subject_(std::move(subject)), match_(match), fake_(fake) {}

    /// The password was judged before: matches() says so without hashing.
    void assume(bool is_equal) noexcept { assumed_ = is_equal; }

    [[nodiscard]] bool matches(std::string_view user, ByteView password) override;
    [[nodiscard]] Secret scram_keys(std::string_view mechanism) override;
    [[nodiscard]] Secret plain_password() override;

    /// TLS has proved who the user is: whether such a user exists and may log in.
    [[nodiscard]] bool may_log_in();

    /// Whether what was asked last was answered for the user himself, and he may log in. Of keys and plain
    /// passwords: that they were his, and whoever proves to have them is he.
    [[nodiscard]] bool agreed() const noexcept { return agreed_; }

    /// Why not. Of keys and plain passwords: why a proof that fails fails, be the user disabled or not.
    /// kEngineFailed when it was never asked.
    [[nodiscard]] Reason reason() const noexcept { return reason_; }

    /// Whether matches() found the password right or wrong, whoever's it was; nothing when it was not asked.
    [[nodiscard]] std::optional<bool> was_equal() const noexcept { return was_equal_; }

    [[nodiscard]] const Subject& subject() const noexcept { return subject_; }
    /// Whether scram_keys() is quick enough for a reactor: the keys are stored, not made from the password.
    [[nodiscard]] bool has_keys_at_hand() const noexcept {
        return subject_.record == nullptr || subject_.record->plain() == nullptr;
    }
    [[nodiscard]] bool is_cheap() const noexcept {
        return assumed_.has_value() || subject_.record == nullptr || subject_.record->is_cheap();
    }

  private:
    /// Of SCRAM keys that are made from a password, at each login.
    static constexpr int kIterationsOfPlain = ScramRecord::kMinIterations;

    [[nodiscard]] Secret keys_of_plain(ScramHash hash);

    /// Notes whether the record could serve, and what follows from it.
    void served(bool has_served);

    const Subject subject_;
    const Match match_;
    const ScramFake& fake_;
    std::optional<bool> assumed_;
    std::optional<bool> was_equal_;
    bool agreed_ = false;
    Reason reason_ = Reason::kEngineFailed;
};

}  // namespace gatepost::auth

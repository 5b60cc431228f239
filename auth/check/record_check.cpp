#include "auth/check/record_check.h"

namespace gatepost::auth {

bool RecordCheck::matches(std::string_view user, ByteView password) {
    agreed_ = false;
    reason_ = Reason::kEngineFailed;  // asked about somebody else: nobody's password is right then
    if (user != subject_.user) return false;
    const bool is_equal =
        assumed_ ? *assumed_ : subject_.record != nullptr && match_(*subject_.record, password);
    was_equal_ = is_equal;
    // Only who knows the password may learn that the account is disabled.
    reason_ = !subject_.is_known     ? Reason::kUnknownUser
              : !is_equal            ? Reason::kWrongPassword
              : subject_.is_disabled ? Reason::kDisabled
                                     : Reason::kNone;
    agreed_ = is_equal && subject_.is_known && !subject_.is_disabled;
    return agreed_;
}

Secret RecordCheck::scram_keys(std::string_view mechanism) {
    agreed_ = false;
    const std::optional<ScramHash> hash = scram_hash_of(mechanism);
    if (!hash) return {};
    const ScramRecord* const stored = subject_.record ? subject_.record->scram() : nullptr;
    const bool is_his = subject_.is_known && stored != nullptr && stored->hash == *hash;
    if (subject_.record && subject_.record->plain() != nullptr) return keys_of_plain(*hash);
    served(is_his);
    // As a user's of this store would look, or the stranger stands out; and made for everybody, because the
    // answer to a first message is not delayed: what only strangers cost would be seen in it.
    const Result<ScramRecord> fake =
        stored != nullptr ? fake_.record(*hash, subject_.user, stored->iterations, stored->salt.size())
                          : fake_.record(*hash, subject_.user);
    if (is_his) return stored->auth_password();
    return fake ? fake->auth_password() : Secret();
}

/// From the password itself, with the salt that a stranger of that name would have: known and unknown users
/// look and cost the same.
Secret RecordCheck::keys_of_plain(ScramHash hash) {
    const Result<ScramRecord> fake = fake_.record(hash, subject_.user, kIterationsOfPlain);
    if (!fake) {
        served(false);
        return {};
    }
    const Result<ScramRecord> derived =
        ScramRecord::make(hash, subject_.record->plain()->reveal(), fake->salt, kIterationsOfPlain);
    const bool is_his = subject_.is_known && derived.has_value();
    served(is_his);
    return is_his ? derived->auth_password() : fake->auth_password();
}

Secret RecordCheck::plain_password() {
    agreed_ = false;
    const Secret* const stored = subject_.record ? subject_.record->plain() : nullptr;
    const bool is_his = subject_.is_known && stored != nullptr;
    served(is_his);
    const Result<ScramRecord> nobodys = fake_.record(ScramHash::kSha256, subject_.user);
    if (is_his) return stored->clone();
    return nobodys ? nobodys->auth_password() : Secret();
}

bool RecordCheck::may_log_in() {
    served(subject_.is_known);
    // The certificate has proved who it is.
    if (subject_.is_known && subject_.is_disabled) reason_ = Reason::kDisabled;
    return agreed_;
}

void RecordCheck::served(bool has_served) {
    agreed_ = has_served && !subject_.is_disabled;
    reason_ = !subject_.is_known ? Reason::kUnknownUser
              : !has_served      ? Reason::kWrongRecord
                                 : Reason::kWrongPassword;
}

}  // namespace gatepost::auth

#include "auth/check/stand_in.h"

#include <optional>
#include <utility>

#include "auth/check/record.h"

namespace gatepost::auth {
namespace {

/// The record without what is his: a password would lie in memory for as long as the process lives, and its
/// kind is all that is wanted. Nothing when it cannot be read.
std::optional<Secret> without_password(const Secret& text) {
    const Result<Record> record = Record::parse(text.reveal());
    if (!record) return std::nullopt;
    return record->plain() != nullptr ? Secret(StandIn::kPlain) : text.clone();
}

}  // namespace

StandIn::StandIn(ByteView at_first) {
    if (at_first.empty()) return;
    auto made = std::make_shared<StoredCredential>();
    made->record = Secret(at_first);
    credential_ = std::move(made);
}

StandIn::Credential StandIn::get() const {
    const std::lock_guard lock(mutex_);
    return credential_;
}

void StandIn::see(const StoredCredential& credential) {
    const std::lock_guard lock(mutex_);
    if (has_seen_) return;
    std::optional<Secret> record = without_password(credential.record);
    std::optional<Secret> scram =
        credential.scram.empty() ? std::optional<Secret>(Secret()) : without_password(credential.scram);
    if (!record || !scram) return;
    auto made = std::make_shared<StoredCredential>();
    made->record = std::move(*record);
    made->scram = std::move(*scram);
    credential_ = std::move(made);
    has_seen_ = true;
}

}  // namespace gatepost::auth

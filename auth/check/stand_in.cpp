#include "auth/check/stand_in.h"

#include <optional>
#include <utility>

#include "auth/check/record.h"

namespace gatepost::auth {
namespace {

/// A record of the same kind and cost, without what is his as far as that can be taken out: of a password or
/// SCRAM keys nothing is left, and of other kinds the hash is, which lies in memory for as long as the
/// process lives. Nothing when it cannot be read.
std::optional<Secret> without_secret(const Secret& text) {
    const Result<Record> record = Record::parse(text.reveal());
    if (!record) return std::nullopt;
    if (record->plain() != nullptr) return Secret(StandIn::kPlain);
    const ScramRecord* const scram = record->scram();
    if (scram == nullptr) return text.clone();
    const std::string nobodys_key(key_size(scram->hash), '\0');
    const ScramRecord nobodys{.hash = scram->hash,
                              .iterations = scram->iterations,
                              .salt = std::string(scram->salt.size(), 'x'),
                              .stored_key = Secret(nobodys_key),
                              .server_key = Secret(nobodys_key)};
    return nobodys.text();
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
    std::optional<Secret> record = without_secret(credential.record);
    std::optional<Secret> scram =
        credential.scram.empty() ? std::optional<Secret>(Secret()) : without_secret(credential.scram);
    if (!record || !scram) return;
    auto made = std::make_shared<StoredCredential>();
    made->record = std::move(*record);
    made->scram = std::move(*scram);
    credential_ = std::move(made);
    has_seen_ = true;
}

}  // namespace gatepost::auth

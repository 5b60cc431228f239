// Who knows the user: the stores in their order, and what their answers, or the lack of one, mean.
#include <memory>
#include <string>
#include <utility>

#include "auth/check/scram_record.h"
#include "auth/check/verifier.h"

namespace gatepost::auth {
namespace {

/// Which of the records of a user the mechanism is judged by.
ByteView record_for(const std::string& mechanism, const StoredCredential& stored) {
    const bool is_of_scram = scram_hash_of(mechanism) == ScramHash::kSha256;
    return is_of_scram && !stored.scram.empty() ? stored.scram.reveal() : stored.record.reveal();
}

/// A user whose password is not judged by a record.
RecordCheck::Subject judged_elsewhere(const Attempt& attempt) {
    return {.user = attempt.user(), .record = nullptr, .is_known = true, .is_disabled = false};
}

BackendAnswer answer_of(const Lookup& lookup) {
    switch (lookup.status) {
        case Lookup::Status::kFound: return BackendAnswer::kOk;
        case Lookup::Status::kUnknown: return BackendAnswer::kDenied;
        case Lookup::Status::kUnavailable: break;
    }
    return lookup.is_timeout ? BackendAnswer::kTimeout : BackendAnswer::kError;
}

BackendAnswer answer_of(PasswordAnswer answer) {
    switch (answer) {
        case PasswordAnswer::kAccepted: return BackendAnswer::kOk;
        case PasswordAnswer::kRefused: return BackendAnswer::kDenied;
        case PasswordAnswer::kTimedOut: return BackendAnswer::kTimeout;
        case PasswordAnswer::kUnavailable: break;
    }
    return BackendAnswer::kError;
}

}  // namespace

void StoreVerifier::look_up(const AttemptPtr& attempt, std::size_t store,
                            const StandIn::Credential& stand_in) {
    // A service, which is the last, knows nobody without his password.
    const bool is_at_end =
        store == parts_.stores.size() || (parts_.stores[store].service && attempt->asks_elsewhere);
    if (is_at_end) return take_record(attempt, false, stand_in.get(), nullptr);
    const NamedStore& named = parts_.stores[store];
    if (named.service) return ask_service(attempt, named);
    begin_to_ask(*attempt, named);
    named.store->lookup(
        attempt->user(), parts_.home,
        [weak = std::weak_ptr<StoreVerifier>(self_), attempt, store, stand_in](const Lookup& lookup) {
            if (const std::shared_ptr<StoreVerifier> self = weak.lock())
                self->on_lookup(attempt, store, stand_in, lookup);
        });
}

void StoreVerifier::begin_to_ask(Attempt& attempt, const NamedStore& named) const {
    attempt.asked_at = Clock::now();
    attempt.generation = parts_.cache.generation_of(named.name, attempt.user());
}

void StoreVerifier::on_lookup(const AttemptPtr& attempt, std::size_t store,
                              const StandIn::Credential& stand_in, const Lookup& lookup) {
    note_answer(*attempt, parts_.stores[store], answer_of(lookup));
    if (attempt->is_cancelled) return;
    const std::string& backend = parts_.stores[store].name;
    const std::shared_ptr<StandIn>& shared = parts_.stores[store].stand_in;
    if (lookup.status == Lookup::Status::kUnknown) {
        parts_.cache.forget_user(backend, attempt->user());
        const StandIn::Credential usual = shared && !lookup.stand_in ? shared->get() : lookup.stand_in;
        return look_up(attempt, store + 1, stand_in ? stand_in : usual);
    }
    attempt->backend = backend;
    if (lookup.status == Lookup::Status::kUnavailable)
        return post(attempt, without_answer(*attempt, lookup.is_timeout));
    if (lookup.credential == nullptr || lookup.credential->user != attempt->user())
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
    if (shared) shared->see(*lookup.credential);
    const StandIn::Credential of_store = shared ? shared->get() : nullptr;
    attempt->attributes = RecordAttributes::of(lookup.credential->attributes);
    take_record(attempt, true, lookup.credential.get(), stand_in ? stand_in : of_store);
}

void StoreVerifier::take_record(const AttemptPtr& attempt, bool is_known, const StoredCredential* stored,
                                const StandIn::Credential& stand_in) {
    const bool is_disabled = is_known && stored->disabled;
    RecordCheck::Subject subject{.user = attempt->user(),
                                 .record = default_stand_in_,
                                 .is_known = is_known,
                                 .is_disabled = is_disabled};
    const ByteView text = stored == nullptr ? ByteView() : record_for(attempt->mechanism, *stored);
    attempt->version = Secret(text);
    attempt->is_cacheable = is_known && !is_disabled && attempt->grammar.has_password();
    if (is_disabled) parts_.cache.forget_user(attempt->backend, attempt->user());
    if (is_remembered(*attempt)) return post(attempt, run_as_right(*attempt));
    Result<Record> record = Record::parse(text);
    const bool needs_none = attempt->mechanism == "EXTERNAL" || attempt->asks_elsewhere;
    if (record) {
        subject.record = std::make_shared<const Record>(std::move(*record));
    } else if (is_disabled && !needs_none) {
        // There is nothing to judge him by: to the client he is a stranger of this store.
        return take_record(attempt, false, stand_in.get(), nullptr);
    } else if (is_known && !needs_none) {
        // A record that is missing or cannot be read is the store's fault, not a wrong password.
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kBadRecord));
    }
    if (subject.record == nullptr)
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kEngineFailed));
    attempt->check.emplace(std::move(subject), parts_.match, parts_.fake);
    judge(attempt);
}

/// The store cannot say what its record is now: whose password was right a moment ago goes on, until that
/// has had its time (facts.md 3). Nobody is remembered whom the store last called disabled or unknown. Who
/// tries another password has guessed, or an outage would be the time to guess in.
Verdict StoreVerifier::without_answer(Attempt& attempt, bool is_timeout) {
    const VerifyCache::Memory memory = memory_of(attempt, &attempt.attributes);
    if (memory == VerifyCache::Memory::kThisPassword) {
        attempt.is_remembered = true;
        return run_as_right(attempt);
    }
    Verdict verdict =
        refusal(Outcome::kUnavailable, is_timeout ? Reason::kStoreTimedOut : Reason::kStoreFailed);
    verdict.is_guess = memory == VerifyCache::Memory::kAnotherPassword;
    return verdict;
}

VerifyCache::Memory StoreVerifier::memory_of(const Attempt& attempt, RecordAttributes* attributes) const {
    if (!attempt.grammar.has_password() || !attempt.message) return VerifyCache::Memory::kNone;
    return parts_.cache.recall(attempt.backend, attempt.user(), attempt.password(), Clock::now(), attributes);
}

/// A service knows users only together with their passwords. It is the last of the stores (decisions.md 13).
void StoreVerifier::ask_service(const AttemptPtr& attempt, const NamedStore& named) {
    attempt->backend = named.name;
    if (!attempt->grammar.has_password())
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
    attempt->is_cacheable = true;
    if (is_remembered(*attempt)) return post(attempt, run_as_right(*attempt));
    attempt->check.emplace(judged_elsewhere(*attempt), parts_.match, parts_.fake);
    if (!is_first_of_its_kind(attempt)) return;
    begin_to_ask(*attempt, named);
    named.service->check(attempt->user(), attempt->password_secret(), parts_.home,
                         [weak = std::weak_ptr<StoreVerifier>(self_), attempt](PasswordAnswer answer) {
                             if (const std::shared_ptr<StoreVerifier> self = weak.lock())
                                 self->on_service(attempt, answer);
                         });
}

void StoreVerifier::on_service(const AttemptPtr& attempt, PasswordAnswer answer) {
    note_answer(*attempt, parts_.stores.back(), answer_of(answer));
    if (answer == PasswordAnswer::kUnavailable || answer == PasswordAnswer::kTimedOut)
        return conclude(attempt, without_answer(*attempt, answer == PasswordAnswer::kTimedOut));
    attempt->check->assume(answer == PasswordAnswer::kAccepted);
    conclude(attempt, run(*attempt));
}

void StoreVerifier::note_answer(const Attempt& attempt, const NamedStore& named, BackendAnswer answer) const {
    if (parts_.observer == nullptr) return;
    parts_.observer->on_backend_answer(named.name, answer, Clock::now() - attempt.asked_at);
}

Verdict StoreVerifier::run_as_right(Attempt& attempt) {
    attempt.check.emplace(judged_elsewhere(attempt), parts_.match, parts_.fake);
    attempt.check->assume(true);
    return run(attempt);
}

}  // namespace gatepost::auth

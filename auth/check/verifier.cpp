#include "auth/check/verifier.h"

#include <optional>
#include <utility>

#include "auth/dialogue/mechanisms.h"

namespace gatepost::auth {
namespace {

// Stores may be empty or unknown-only: then a stranger's password is hashed against a record of the default
// kind.
std::shared_ptr<const Record> make_default_stand_in() {
    static const std::shared_ptr<const Record> made = [] {
        Result<Record> record = Record::make(kDefaultScheme, "nobody has this password");
        return record ? std::make_shared<const Record>(std::move(*record)) : nullptr;
    }();
    return made;
}

bool is_client_first(const std::string& mechanism) {
    const Mechanism* const known = find_mechanism(mechanism);
    return known != nullptr && known->client_first;
}

Verdict empty_challenge() {
    return {.outcome = Outcome::kChallenge, .reason = Reason::kNone, .challenge = {}, .identity = {}};
}

}  // namespace

StoreVerifier::StoreVerifier(Parts parts)
    : parts_(std::move(parts)),
      default_stand_in_(make_default_stand_in()),
      self_(this, [](StoreVerifier*) {}) {}

StoreVerifier::~StoreVerifier() {
    for (const auto& [id, attempt] : attempts_) attempt->is_cancelled = true;
}

template <typename Function>
Task StoreVerifier::guarded(Function function) {
    return [weak = std::weak_ptr<StoreVerifier>(self_), function = std::move(function)]() mutable {
        if (const std::shared_ptr<StoreVerifier> self = weak.lock()) function(*self);
    };
}

void StoreVerifier::step(ConnectionId id, Step step) {
    AttemptPtr attempt;
    if (step.is_first) {
        cancel(id);  // whatever was left of an AUTH before
        attempt = std::make_shared<Attempt>(id, step.mechanism, std::move(step.channel));
        attempts_.emplace(id.value, attempt);
    } else if (const auto found = attempts_.find(id.value); found != attempts_.end()) {
        attempt = found->second;
    }
    if (attempt == nullptr || attempt->is_busy || step.mechanism != attempt->mechanism) {
        // A step out of turn: our own fault, so never "wrong password".
        cancel(id);
        attempt = std::make_shared<Attempt>(id, step.mechanism, Channel{});
        attempts_.emplace(id.value, attempt);
        attempt->is_busy = true;
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kEngineFailed));
    }
    attempt->is_busy = true;
    attempt->message = std::move(step.message);
    take_message(attempt);
}

void StoreVerifier::take_message(const AttemptPtr& attempt) {
    if (!attempt->message) {
        // The client is asked for its first message before the engine hears of anything: what it must be told
        // (which channel binding holds) stands there.
        return is_client_first(attempt->mechanism) ? post(attempt, empty_challenge()) : judge(attempt);
    }
    switch (attempt->grammar.next(attempt->message->reveal())) {
        case MessageGrammar::Check::kGood: break;
        case MessageGrammar::Check::kMalformed:
            return post(attempt, refusal(Outcome::kMalformed, attempt->grammar.reason()));
        case MessageGrammar::Check::kUnacceptable:
            return post(attempt, refusal(Outcome::kRejected, attempt->grammar.reason()));
    }
    const bool could_bind = !attempt->channel.exporter.empty() || !attempt->channel.end_point.empty();
    if (could_bind && attempt->grammar.believes_no_binding())
        return post(attempt, refusal(Outcome::kRejected, Reason::kDowngraded));
    if (!attempt->grammar.binding_type().empty() && attempt->facts().binding.empty())
        return post(attempt, refusal(Outcome::kMalformed, Reason::kBadMessage));
    // With another realm the engine would mean another user, "name@realm", than the one who was named here.
    if (!attempt->grammar.realm().empty() && attempt->grammar.realm() != parts_.realm)
        return post(attempt, refusal(Outcome::kRejected, Reason::kNotAuthorized));
    if (!attempt->needs_record()) return judge(attempt);
    if (parts_.stores.empty()) return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
    look_up(attempt, 0, nullptr);
}

void StoreVerifier::cancel(ConnectionId id) {
    const auto found = attempts_.find(id.value);
    if (found == attempts_.end()) return;
    found->second->is_cancelled = true;
    attempts_.erase(found);
}

void StoreVerifier::judge(const AttemptPtr& attempt) {
    if (attempt->asks_elsewhere) {
        // It reads a keytab, a replay cache and names from files and servers: never on the reactor.
        return attempt->check ? post(attempt, attempt->admit()) : hash(attempt);
    }
    if (attempt->derives_keys()) return hash(attempt);
    if (!attempt->check || !attempt->grammar.has_password()) return post(attempt, run(*attempt));
    if (attempt->check->is_cheap()) {
        Verdict verdict = run(*attempt);
        remember(*attempt);  // not for speed: for the time when the store cannot answer
        return post(attempt, std::move(verdict));
    }
    // Unknown and disabled users are never remembered. But they share a hash as everybody does: if each of
    // theirs took its own, a burst of equal guesses would tell them from a user by the time that it takes.
    if (is_first_of_its_kind(attempt)) hash(attempt);
}

/// Whether this password was right a moment ago, for the same record: then the record is not even parsed.
bool StoreVerifier::is_remembered(Attempt& attempt) {
    if (!attempt.is_cacheable) return false;
    const bool is_held = parts_.cache.holds(attempt.backend, attempt.user(), attempt.password(),
                                            attempt.version.reveal(), Clock::now());
    if (parts_.observer != nullptr && parts_.cache.is_on())
        parts_.observer->on_cache_lookup(attempt.backend, is_held);
    attempt.is_remembered = is_held;
    return is_held;
}

/// False: the same password of the same user is being checked already, and the answer will count for this
/// attempt too.
bool StoreVerifier::is_first_of_its_kind(const AttemptPtr& attempt) {
    attempt->flight = parts_.cache.digest(attempt->backend, attempt->user(), attempt->password(),
                                          attempt->version.reveal());
    return !attempt->flight || flights_.join(*attempt->flight, attempt);
}

void StoreVerifier::hash(const AttemptPtr& attempt) {
    const bool is_queued =
        parts_.pool.try_submit([attempt = AttemptPtr(attempt), &home = parts_.home, &engine = parts_.engine,
                                weak = std::weak_ptr<StoreVerifier>(self_)](bool is_late) mutable {
            const bool is_skipped = attempt->is_cancelled;
            Verdict verdict = refusal(Outcome::kBusy, Reason::kDeadline);
            if (!is_late && !is_skipped) verdict = run_with(engine, *attempt);
            // Handed over whole: from here on the attempt is the home thread's again.
            home.post([weak = std::move(weak), attempt = std::move(attempt), verdict = std::move(verdict),
                       is_skipped]() mutable {
                const std::shared_ptr<StoreVerifier> self = weak.lock();
                if (!self) return;
                if (is_skipped) return self->hand_on(attempt);
                self->conclude(attempt, std::move(verdict));
            });
        });
    if (!is_queued) conclude_later(attempt, refusal(Outcome::kBusy, Reason::kQueueFull));
}

/// The check was not made, because its client has gone: the next of those who waited for it makes it.
void StoreVerifier::hand_on(const AttemptPtr& attempt) {
    attempt->message.reset();
    if (!attempt->flight) return;
    for (const AttemptPtr& other : flights_.finish(*attempt->flight)) {
        if (other != attempt && !other->is_cancelled) judge(other);
    }
}

void StoreVerifier::remember(const Attempt& attempt) {
    if (attempt.is_remembered) return;  // it was not checked afresh
    const std::optional<bool> was_equal = attempt.check ? attempt.check->was_equal() : std::nullopt;
    if (!attempt.message || !was_equal) return;
    if (*was_equal && attempt.is_cacheable) {
        parts_.cache.remember(attempt.backend, attempt.user(), attempt.password(), attempt.version.reveal(),
                              attempt.attributes, attempt.generation, Clock::now());
    } else {
        parts_.cache.forget(attempt.backend, attempt.user(), attempt.password());
    }
}

/// The end of a check that was really made: it is remembered, and everybody who waited for it hears.
void StoreVerifier::conclude(const AttemptPtr& attempt, Verdict verdict) {
    // Whom somebody else vouches for may still be disabled here; and a store that cannot say so stops him.
    if (!attempt->is_cancelled && !attempt->vouched_for.empty()) return look_up(attempt, 0, nullptr);
    const std::optional<bool> was_equal = attempt->check ? attempt->check->was_equal() : std::nullopt;
    // As in an outage: what nobody has time to check may still be known not to be the right password.
    if (verdict.outcome == Outcome::kBusy)
        verdict.is_guess = memory_of(*attempt) == VerifyCache::Memory::kAnotherPassword;
    remember(*attempt);
    std::vector<AttemptPtr> waiting;
    if (attempt->flight) waiting = flights_.finish(*attempt->flight);
    for (const AttemptPtr& other : waiting) {
        if (other == attempt || other->is_cancelled) continue;
        if (was_equal) {
            other->check->assume(*was_equal);
            deliver(other, run(*other));
        } else {
            Verdict same = refusal(verdict.outcome, verdict.reason);
            same.is_guess = verdict.is_guess;
            deliver(other, std::move(same));
        }
    }
    deliver(attempt, std::move(verdict));
}

void StoreVerifier::conclude_later(const AttemptPtr& attempt, Verdict verdict) {
    parts_.home.post(
        guarded([attempt = AttemptPtr(attempt), verdict = std::move(verdict)](StoreVerifier& self) mutable {
            self.conclude(attempt, std::move(verdict));
        }));
}

Verdict StoreVerifier::run(Attempt& attempt) {
    return run_with(parts_.engine, attempt);
}

Verdict StoreVerifier::run_with(MechanismEngine& engine, Attempt& attempt) {
    if (!attempt.exchange) attempt.exchange = engine.begin(attempt.mechanism, attempt.facts());
    if (!attempt.exchange) return refusal(Outcome::kUnavailable, Reason::kEngineFailed);
    return attempt.run();
}

void StoreVerifier::post(AttemptPtr attempt, Verdict verdict) {
    parts_.home.post(
        guarded([attempt = std::move(attempt), verdict = std::move(verdict)](StoreVerifier& self) mutable {
            self.deliver(attempt, std::move(verdict));
        }));
}

void StoreVerifier::deliver(const AttemptPtr& attempt, Verdict verdict) {
    attempt->message.reset();
    if (attempt->is_cancelled) return;
    attempt->is_busy = false;
    if (verdict.identity.user.empty())
        verdict.identity = {
            .user = attempt->user(), .mechanism = attempt->mechanism, .backend = attempt->backend};
    if (verdict.outcome == Outcome::kAccepted) attempt->attributes.give_to(verdict.identity);
    if (verdict.outcome != Outcome::kChallenge) attempts_.erase(attempt->id.value);
    parts_.receiver.on_verdict(attempt->id, std::move(verdict));
}

}  // namespace gatepost::auth

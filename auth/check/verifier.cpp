#include "auth/check/verifier.h"

#include <atomic>
#include <optional>
#include <utility>

#include "auth/check/record_check.h"
#include "auth/dialogue/message.h"

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

Verdict refusal(Outcome outcome, Reason reason) {
    return {.outcome = outcome, .reason = reason, .challenge = {}, .identity = {}};
}

}  // namespace

/// One AUTH of one connection. Shared with the job that runs its step: whoever lets go last disposes of the
/// exchange.
struct StoreVerifier::Attempt {
    Attempt(ConnectionId connection, const std::string& name)
        : id(connection), mechanism(name), grammar(name) {}

    const ConnectionId id;
    const std::string mechanism;
    MessageGrammar grammar;
    std::unique_ptr<MechanismExchange> exchange;
    std::optional<Secret> message;  // of the step in progress
    Lookup lookup;
    std::shared_ptr<const Record> record;  // the user's own or a stand-in
    bool is_busy = false;                  // a step was given and not yet answered; home thread
    std::atomic<bool> is_cancelled = false;

    [[nodiscard]] Verdict run(Match match);
};

// The only function that can accept. Home or pool thread.
Verdict StoreVerifier::Attempt::run(Match match) {
    const bool is_known = lookup.status == Lookup::Status::kFound && lookup.credential != nullptr;
    const bool is_disabled = is_known && lookup.credential->disabled;
    static const Lookup kNobody{};
    Verdict verdict;
    if (record == nullptr) {
        // Only steps without a password have no record: nothing can be proved by them.
        class : public PasswordCheck {
            bool matches(std::string_view, ByteView) override { return false; }
        } nobody;
        verdict = exchange->step(message, kNobody, nobody);
        if (verdict.outcome == Outcome::kAccepted)
            verdict = refusal(Outcome::kUnavailable, Reason::kEngineFailed);
    } else {
        RecordCheck check(grammar.user(), *record, is_known, is_disabled, match);
        verdict = exchange->step(message, lookup, check);
        if (verdict.outcome == Outcome::kAccepted) {
            const bool names_agree = verdict.identity.user == grammar.user() && is_known &&
                                     lookup.credential->user == grammar.user();
            if (!check.agreed() || !names_agree)
                verdict = refusal(Outcome::kUnavailable, Reason::kEngineFailed);
        } else if (verdict.outcome == Outcome::kRejected && check.reason() != Reason::kNone) {
            verdict.reason = check.reason();  // libsasl's own code does not know (facts.md 1)
        }
    }
    message.reset();
    verdict.identity = {.user = grammar.user(), .mechanism = mechanism, .backend = lookup.backend};
    return verdict;
}

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

StoreVerifier::AttemptPtr StoreVerifier::begin(ConnectionId id, const Step& step) {
    cancel(id);  // whatever was left of an AUTH before
    auto attempt = std::make_shared<Attempt>(id, step.mechanism);
    attempt->exchange = parts_.engine.begin(step.mechanism);
    attempts_.emplace(id.value, attempt);
    return attempt;
}

void StoreVerifier::step(ConnectionId id, Step step) {
    AttemptPtr attempt;
    if (step.is_first) {
        attempt = begin(id, step);
    } else if (const auto found = attempts_.find(id.value); found != attempts_.end()) {
        attempt = found->second;
    }
    if (attempt == nullptr || attempt->is_busy || step.mechanism != attempt->mechanism ||
        !attempt->exchange) {
        // A step out of turn, or a mechanism that the engine has not: our own fault, so never "wrong
        // password".
        cancel(id);
        attempt = std::make_shared<Attempt>(id, step.mechanism);
        attempts_.emplace(id.value, attempt);
        attempt->is_busy = true;
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kEngineFailed));
    }
    attempt->is_busy = true;
    attempt->message = std::move(step.message);
    const std::optional<Secret>& message = attempt->message;
    if (!message) return judge(attempt);
    switch (attempt->grammar.next(message->reveal())) {
        case MessageGrammar::Check::kGood: break;
        case MessageGrammar::Check::kMalformed:
            return post(attempt, refusal(Outcome::kMalformed, attempt->grammar.reason()));
        case MessageGrammar::Check::kUnacceptable:
            return post(attempt, refusal(Outcome::kRejected, attempt->grammar.reason()));
    }
    if (!attempt->grammar.has_password()) return judge(attempt);
    if (parts_.stores.empty()) return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
    look_up(attempt, 0);
}

void StoreVerifier::cancel(ConnectionId id) {
    const auto found = attempts_.find(id.value);
    if (found == attempts_.end()) return;
    found->second->is_cancelled = true;
    attempts_.erase(found);
}

void StoreVerifier::look_up(const AttemptPtr& attempt, std::size_t store) {
    parts_.stores[store].store->lookup(
        attempt->grammar.user(), parts_.home,
        [weak = std::weak_ptr<StoreVerifier>(self_), attempt, store](Lookup lookup) {
            if (const std::shared_ptr<StoreVerifier> self = weak.lock())
                self->on_lookup(attempt, store, std::move(lookup));
        });
}

void StoreVerifier::on_lookup(const AttemptPtr& attempt, std::size_t store, Lookup lookup) {
    if (attempt->is_cancelled) return;
    lookup.backend = parts_.stores[store].name;
    const std::shared_ptr<const StoredCredential> stand_in =
        attempt->lookup.stand_in ? attempt->lookup.stand_in : lookup.stand_in;
    attempt->lookup = std::move(lookup);
    attempt->lookup.stand_in = stand_in;
    switch (attempt->lookup.status) {
        case Lookup::Status::kUnavailable:
            return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
        case Lookup::Status::kUnknown:
            if (store + 1 < parts_.stores.size()) return look_up(attempt, store + 1);
            attempt->lookup.backend.clear();
            break;
        case Lookup::Status::kFound: break;
    }
    const StoredCredential* const source = attempt->lookup.status == Lookup::Status::kFound
                                               ? attempt->lookup.credential.get()
                                               : attempt->lookup.stand_in.get();
    attempt->record = default_stand_in_;
    if (source != nullptr) {
        Result<Record> record = Record::parse(source->record.reveal());
        if (record) attempt->record = std::make_shared<const Record>(std::move(*record));
        // A record that cannot be read is the store's fault, not a wrong password.
        if (!record && attempt->lookup.status == Lookup::Status::kFound) attempt->record = nullptr;
    }
    if (attempt->record == nullptr)
        return post(attempt, refusal(Outcome::kUnavailable, Reason::kStoreFailed));
    judge(attempt);
}

void StoreVerifier::judge(const AttemptPtr& attempt) {
    if (attempt->record == nullptr || attempt->record->is_cheap())
        return post(attempt, attempt->run(parts_.match));

    const bool is_queued =
        parts_.pool.try_submit([attempt = AttemptPtr(attempt), match = parts_.match, &home = parts_.home,
                                weak = std::weak_ptr<StoreVerifier>(self_)](bool is_late) mutable {
            if (attempt->is_cancelled) return;
            Verdict verdict = refusal(Outcome::kBusy, Reason::kDeadline);
            if (is_late) {
                verdict.identity = {
                    .user = attempt->grammar.user(), .mechanism = attempt->mechanism, .backend = {}};
            } else {
                verdict = attempt->run(match);
            }
            // Handed over whole: from here on the attempt is the home thread's again.
            home.post([weak = std::move(weak), attempt = std::move(attempt),
                       verdict = std::move(verdict)]() mutable {
                if (const std::shared_ptr<StoreVerifier> self = weak.lock())
                    self->deliver(attempt, std::move(verdict));
            });
        });
    if (!is_queued) post(attempt, refusal(Outcome::kBusy, Reason::kQueueFull));
}

void StoreVerifier::post(AttemptPtr attempt, Verdict verdict) {
    if (verdict.identity.user.empty()) {
        verdict.identity = {.user = attempt->grammar.user(), .mechanism = attempt->mechanism, .backend = {}};
    }
    parts_.home.post(
        guarded([attempt = std::move(attempt), verdict = std::move(verdict)](StoreVerifier& self) mutable {
            self.deliver(attempt, std::move(verdict));
        }));
}

void StoreVerifier::deliver(const AttemptPtr& attempt, Verdict verdict) {
    if (attempt->is_cancelled) return;
    attempt->is_busy = false;
    if (verdict.outcome != Outcome::kChallenge) attempts_.erase(attempt->id.value);
    parts_.receiver.on_verdict(attempt->id, std::move(verdict));
}

}  // namespace gatepost::auth

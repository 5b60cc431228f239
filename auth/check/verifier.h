// The judge of AUTH steps: fetches the record of the user, runs one step of the mechanism engine (on the
// reactor when it neither hashes nor blocks, else on the verify pool) and delivers the verdict at home. One
// per worker; worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/check/attempt.h"
#include "auth/check/record.h"
#include "auth/check/scram_fake.h"
#include "auth/check/single_flight.h"
#include "auth/check/stand_in.h"
#include "auth/check/verifier_observer.h"
#include "auth/check/verify_cache.h"
#include "auth/check/verify_pool.h"
#include "auth/dialogue/credential_store.h"
#include "auth/dialogue/mechanism_engine.h"
#include "auth/dialogue/password_service.h"
#include "auth/dialogue/verifier.h"
#include "proxy/base/executor.h"

namespace gatepost::auth {

/// A backend and its name under `backends:`: a store of records, or a service that judges passwords itself.
struct NamedStore {
    std::string name;
    std::shared_ptr<CredentialStore> store;
    std::shared_ptr<PasswordService> service = {};  ///< instead of a store; the last one only
    /// For unknown users of a store that offers none itself; one for all workers, or they would differ.
    std::shared_ptr<StandIn> stand_in = {};
};

class StoreVerifier final : public Verifier {
  public:
    /// Runs a hash; tests count calls here.
    using Match = bool (*)(const Record&, ByteView password);

    /// What a verifier works with; all but `stores` must outlive it, `pool` must be stopped before `home` is
    /// destroyed.
    struct Parts {
        Executor& home;  ///< runs tasks on the worker's thread; the pool's threads post to it too
        VerdictReceiver& receiver;
        MechanismEngine& engine;
        VerifyPool& pool;
        VerifyCache& cache;
        const ScramFake& fake;
        std::vector<NamedStore> stores;  ///< asked in this order: unknown goes on, a refusal is final
        std::string realm = {};          ///< the one that the engine offers to DIGEST-MD5: its host's name
        VerifierObserver* observer = nullptr;  ///< may be nobody
        Match match = [](const Record& record, ByteView password) { return record.matches(password); };
    };

    explicit StoreVerifier(Parts parts);
    ~StoreVerifier() override;

    void step(ConnectionId id, Step step) override;
    void cancel(ConnectionId id) override;

    /// Exchanges begun and not yet ended.
    [[nodiscard]] std::size_t open_exchanges() const noexcept { return attempts_.size(); }

  private:
    using AttemptPtr = std::shared_ptr<Attempt>;

    void take_message(const AttemptPtr& attempt);

    // verifier_stores.cpp: who knows the user
    void begin_to_ask(Attempt& attempt, const NamedStore& named) const;
    void look_up(const AttemptPtr& attempt, std::size_t store, const StandIn::Credential& stand_in);
    void on_lookup(const AttemptPtr& attempt, std::size_t store, const StandIn::Credential& stand_in,
                   const Lookup& lookup);
    /// `stored`: the user's own credential, or the stand-in of an unknown one; nullptr when there is none.
    /// `stand_in`: for a disabled user without a record.
    void take_record(const AttemptPtr& attempt, bool is_known, const StoredCredential* stored,
                     const StandIn::Credential& stand_in);
    void ask_service(const AttemptPtr& attempt, const NamedStore& named);
    void on_service(const AttemptPtr& attempt, PasswordAnswer answer);

    [[nodiscard]] Verdict run_as_right(Attempt& attempt);
    [[nodiscard]] Verdict without_answer(Attempt& attempt, bool is_timeout);
    [[nodiscard]] VerifyCache::Memory memory_of(const Attempt& attempt,
                                                RecordAttributes* attributes = nullptr) const;

    /// What `answer` of a backend means for metrics.
    void note_answer(const Attempt& attempt, const NamedStore& named, BackendAnswer answer) const;

    // verifier.cpp again: judging and concluding
    void judge(const AttemptPtr& attempt);
    [[nodiscard]] bool is_remembered(Attempt& attempt);
    void remember(const Attempt& attempt);
    [[nodiscard]] bool is_first_of_its_kind(const AttemptPtr& attempt);
    void hash(const AttemptPtr& attempt);
    void hand_on(const AttemptPtr& attempt);
    void conclude(const AttemptPtr& attempt, Verdict verdict);
    void conclude_later(const AttemptPtr& attempt, Verdict verdict);
    [[nodiscard]] Verdict run(Attempt& attempt);
    [[nodiscard]] static Verdict run_with(MechanismEngine& engine, Attempt& attempt);
    void post(AttemptPtr attempt, Verdict verdict);
    void deliver(const AttemptPtr& attempt, Verdict verdict);

    /// Wraps a task so that it does nothing once this verifier is gone.
    template <typename Function>
    [[nodiscard]] Task guarded(Function function);

    Parts parts_;
    std::unordered_map<std::uint64_t, AttemptPtr> attempts_;  // by ConnectionId
    std::shared_ptr<const Record> default_stand_in_;          // for unknown users of stores that offer none
    SingleFlight<AttemptPtr> flights_;
    std::shared_ptr<StoreVerifier> self_;  // owns nothing: expires with this object
};

}  // namespace gatepost::auth

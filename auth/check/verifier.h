// The judge of AUTH steps: fetches the record of the user, runs one step of the mechanism engine (on the
// reactor when it neither hashes nor blocks, else on the verify pool) and delivers the verdict at home. One
// per worker; worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/check/record.h"
#include "auth/check/verify_pool.h"
#include "auth/dialogue/credential_store.h"
#include "auth/dialogue/mechanism_engine.h"
#include "auth/dialogue/verifier.h"
#include "proxy/base/executor.h"

namespace gatepost::auth {

/// A store and its name under `backends:`.
struct NamedStore {
    std::string name;
    std::shared_ptr<CredentialStore> store;
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
        std::vector<NamedStore> stores;  ///< asked in this order: unknown goes on, a refusal is final
        Match match = [](const Record& record, ByteView password) { return record.matches(password); };
    };

    explicit StoreVerifier(Parts parts);
    ~StoreVerifier() override;

    void step(ConnectionId id, Step step) override;
    void cancel(ConnectionId id) override;

    /// Exchanges begun and not yet ended.
    [[nodiscard]] std::size_t open_exchanges() const noexcept { return attempts_.size(); }

  private:
    struct Attempt;
    using AttemptPtr = std::shared_ptr<Attempt>;

    [[nodiscard]] AttemptPtr begin(ConnectionId id, const Step& step);
    void look_up(const AttemptPtr& attempt, std::size_t store);
    void on_lookup(const AttemptPtr& attempt, std::size_t store, Lookup lookup);
    void judge(const AttemptPtr& attempt);
    void post(AttemptPtr attempt, Verdict verdict);
    void deliver(const AttemptPtr& attempt, Verdict verdict);

    /// Wraps a task so that it does nothing once this verifier is gone.
    template <typename Function>
    [[nodiscard]] Task guarded(Function function);

    Parts parts_;
    std::unordered_map<std::uint64_t, AttemptPtr> attempts_;  // by ConnectionId
    std::shared_ptr<const Record> default_stand_in_;          // for unknown users of stores that offer none
    std::shared_ptr<StoreVerifier> self_;                     // owns nothing: expires with this object
};

}  // namespace gatepost::auth

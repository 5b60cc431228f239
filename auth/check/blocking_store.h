// A store that blocks, as one that does not: look-ups run on a few threads of their own, and a watchdog
// answers for those that outlive their deadline. Their threads are counted as lost until they return; when
// too many are, nobody is asked any more (decisions 18). Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "auth/dialogue/blocking_lookup.h"
#include "auth/dialogue/credential_store.h"
#include "proxy/base/clock.h"

namespace gatepost::auth {

/// Hears how a BlockingStore fares. Any thread, one call at a time, under the store's lock: must be quick,
/// must not call the store, and hears nothing more once stop() has returned.
class BlockingObserver {
  public:
    virtual ~BlockingObserver() = default;

    /// A look-up came to an end; `complaint` says why the store could not answer, "" = it could.
    virtual void answered(const std::string& complaint) = 0;
    /// How many threads are lost now, and whether that is too many. Only changes.
    virtual void lost(std::size_t threads, bool is_open) = 0;
};

class BlockingStore final : public CredentialStore {
  public:
    struct Settings {
        std::size_t threads = 4;                      ///< look-ups at a time
        std::size_t spares = 4;                       ///< started for lost ones; as many lost = open
        std::size_t queue = 256;                      ///< look-ups waiting
        Duration deadline = std::chrono::seconds(5);  ///< from the question to the answer, whatever happens
    };

    /// `observer` outlives the store. Threads are started as they are needed, but for the watchdog, which the
    /// system may refuse: see is_watched().
    BlockingStore(std::shared_ptr<BlockingLookup> source, Settings settings, BlockingObserver& observer);
    ~BlockingStore() override;
    BlockingStore(const BlockingStore&) = delete;
    BlockingStore& operator=(const BlockingStore&) = delete;

    /// Its deadlines are kept. If not, the store should not be used.
    [[nodiscard]] bool is_watched() const noexcept { return watchdog_.joinable(); }

    void lookup(std::string_view user, Executor& home, std::move_only_function<void(Lookup)> answer) override;

    /// Destroys what waits, and lets what runs end, if it does so soon. false: threads are left behind inside
    /// the source, which they alone keep alive now; what it needs must be there until the process ends. To be
    /// called before any executor is destroyed that answers are posted to; the destructor calls it.
    bool stop();

    /// For tests and metrics, each number by itself.
    struct Counts {
        std::size_t threads = 0;  ///< that exist, lost ones too
        std::size_t lost = 0;
        std::size_t waiting = 0;
        bool is_open = false;
    };
    [[nodiscard]] Counts counts() const;

  private:
    struct Shared;

    const std::shared_ptr<Shared> shared_;
    std::thread watchdog_;
};

}  // namespace gatepost::auth

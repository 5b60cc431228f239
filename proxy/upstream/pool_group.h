// The pools of one upstream, one for each worker and each configuration that is still used, as far as they
// must agree: who has waited longest for a connection when all that are allowed are in use. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"

namespace gatepost::upstream {

class PoolGroup {
  public:
    /// `turn`: a connection may be opened now, for whoever waits first there. `let_go`: somebody else waits,
    /// so an idle one is to be closed. Both run on `home`, which must outlive the membership. Returns the
    /// member's number.
    [[nodiscard]] std::size_t join(Executor& home, std::function<void()> turn, std::function<void()> let_go);
    /// Requires that no session of `member` waits. On its home, or when that has ended.
    void resign(std::size_t member);

    /// A session of `member` waits since then, and the others let an idle connection go. Returns its place.
    [[nodiscard]] std::uint64_t wait(std::size_t member, TimePoint since);
    /// It waits no longer.
    void leave(std::uint64_t place);
    /// A turn of `member` has been taken, maybe by another of its sessions, maybe in vain: those that wait
    /// there are in the line as before, and the others let an idle connection go.
    void call_again(std::size_t member);

    /// A connection has ended: the turn of whoever has waited longest.
    void freed();

    /// Whether another member has waited for much longer than since `own`.
    [[nodiscard]] bool others_come_first(std::size_t member, TimePoint own);
    [[nodiscard]] bool is_anybody_waiting() const noexcept {
        return waiting_.load(std::memory_order_acquire) > 0;
    }

  private:
    struct Member {
        Executor* home = nullptr;
        std::function<void()> turn;
        std::function<void()> let_go;
    };
    struct Place {
        TimePoint since;
        std::size_t member = 0;
        std::uint64_t number = 0;
        bool is_called = false;  ///< its turn has come, and is not over
    };

    void ask_to_let_go(std::size_t member);
    void count();
    static void tell(const std::shared_ptr<Member>& member, std::function<void()> Member::* what);

    std::mutex lock_;
    std::vector<std::shared_ptr<Member>> members_;  ///< by number; null once one has resigned
    std::vector<Place> line_;                       ///< who has waited longest comes first
    std::uint64_t last_number_ = 0;
    std::atomic<std::size_t> waiting_ = 0;  ///< and are not called
};

}  // namespace gatepost::upstream

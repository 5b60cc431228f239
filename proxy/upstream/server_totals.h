// How many connections there are to one server, over all workers, against what is allowed. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace gatepost::upstream {

/// Counts and caps one thing. Shared: it lives as long as any of its slots.
class Total {
  public:
    /// Takes one if fewer than `cap` are taken.
    [[nodiscard]] bool take(std::uint64_t cap) noexcept {
        if (taken_.fetch_add(1, std::memory_order_acq_rel) < cap) return true;
        taken_.fetch_sub(1, std::memory_order_acq_rel);
        return false;
    }
    void give_back() noexcept { taken_.fetch_sub(1, std::memory_order_acq_rel); }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_.load(std::memory_order_acquire); }

  private:
    std::atomic<std::uint64_t> taken_ = 0;
};

struct ServerTotals {
    Total open;    ///< connections for sessions: used, idle and being opened; not the probes'
    Total active;  ///< of them, those that some session holds
    Total idle;    ///< of them, those that wait for one
};

/// One of a total's, given back when it dies.
class [[nodiscard]] TotalSlot {
  public:
    TotalSlot() = default;
    /// Empty when `cap` are taken.
    [[nodiscard]] static TotalSlot take(const std::shared_ptr<ServerTotals>& totals,
                                        Total ServerTotals::* which, std::uint64_t cap) {
        TotalSlot slot;
        if (((*totals).*which).take(cap)) {
            slot.totals_ = totals;
            slot.which_ = which;
        }
        return slot;
    }
    TotalSlot(TotalSlot&& other) noexcept { swap(other); }
    TotalSlot& operator=(TotalSlot&& other) noexcept {
        TotalSlot(std::move(other)).swap(*this);
        return *this;
    }
    ~TotalSlot() {
        if (totals_) ((*totals_).*which_).give_back();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return totals_ != nullptr; }
    void swap(TotalSlot& other) noexcept {
        std::swap(totals_, other.totals_);
        std::swap(which_, other.which_);
    }

  private:
    std::shared_ptr<ServerTotals> totals_;
    Total ServerTotals::* which_ = nullptr;
};

}  // namespace gatepost::upstream

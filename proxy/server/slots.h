// Counts connections against a cap over all workers: the few true totals of the process. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace gatepost::server {

class ConnectionSlots;

/// The right to one connection, given back when it dies. Empty when the cap was reached.
class [[nodiscard]] ConnectionSlot {
  public:
    ConnectionSlot() = default;
    ConnectionSlot(ConnectionSlot&& other) noexcept { swap(other); }
    ConnectionSlot& operator=(ConnectionSlot&& other) noexcept {
        ConnectionSlot(std::move(other)).swap(*this);
        return *this;
    }
    ~ConnectionSlot();

    [[nodiscard]] explicit operator bool() const noexcept { return slots_ != nullptr; }
    void swap(ConnectionSlot& other) noexcept { std::swap(slots_, other.slots_); }

  private:
    friend class ConnectionSlots;
    explicit ConnectionSlot(ConnectionSlots* slots) noexcept : slots_(slots) {}
    ConnectionSlots* slots_ = nullptr;
};

/// Must outlive its slots.
class ConnectionSlots {
  public:
    explicit ConnectionSlots(std::uint64_t cap) noexcept : cap_(cap) {}
    ConnectionSlots(const ConnectionSlots&) = delete;
    ConnectionSlots& operator=(const ConnectionSlots&) = delete;

    ConnectionSlot take() noexcept {
        if (taken_.fetch_add(1, std::memory_order_relaxed) < cap_.load(std::memory_order_relaxed))
            return ConnectionSlot(this);
        taken_.fetch_sub(1, std::memory_order_relaxed);
        return {};
    }

    /// A lower one takes no slot back.
    void set_cap(std::uint64_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

  private:
    friend class ConnectionSlot;
    std::atomic<std::uint64_t> cap_;
    std::atomic<std::uint64_t> taken_ = 0;
};

inline ConnectionSlot::~ConnectionSlot() {
    if (slots_ != nullptr) slots_->taken_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace gatepost::server

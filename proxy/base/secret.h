// A password, key or token: wiped when it dies, not printable by accident, compared in constant time. Any
// thread.
#pragma once

#include <cstddef>
#include <memory>

#include "proxy/base/bytes.h"

namespace gatepost {

/// Overwrites `size` octets in a way that the optimiser keeps.
void wipe(void* memory, std::size_t size) noexcept;

/// Time depends on the lengths only, never on the contents.
[[nodiscard]] bool equal_in_constant_time(ByteView left, ByteView right) noexcept;

/// Owns the only copy of its octets; the copy is wiped on destruction and on assignment. There is no
/// operator<< and no conversion: code that needs the octets says reveal(), which makes each use easy to find.
class Secret {
  public:
    Secret() = default;
    explicit Secret(ByteView octets);
    Secret(Secret&& other) noexcept { swap(other); }
    Secret& operator=(Secret&& other) noexcept {
        Secret(std::move(other)).swap(*this);
        return *this;
    }
    ~Secret() { clear(); }

    /// A second, independently wiped copy.
    [[nodiscard]] Secret clone() const { return Secret(reveal()); }

    /// The octets; valid until the secret is moved from, assigned or destroyed.
    [[nodiscard]] ByteView reveal() const noexcept { return {octets_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    void clear() noexcept;
    void swap(Secret& other) noexcept;

  private:
    std::unique_ptr<char[]> octets_;
    std::size_t size_ = 0;
};

}  // namespace gatepost

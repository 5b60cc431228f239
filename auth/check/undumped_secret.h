// A key that lives as long as the process: in pages of its own that no core dump shows (MADV_DONTDUMP) and,
// where the limits allow it, no swap either; wiped at the end. Immutable, so any thread.
#pragma once

#include <cstddef>
#include <utility>

#include "proxy/base/bytes.h"
#include "proxy/base/result.h"

namespace gatepost::auth {

class UndumpedSecret {
  public:
    /// A copy of `octets`, which must not be empty; the caller wipes its own.
    [[nodiscard]] static Result<UndumpedSecret> make(ByteView octets);

    /// `size` fresh octets of libcrypto's random numbers.
    [[nodiscard]] static Result<UndumpedSecret> make_random(std::size_t size);

    UndumpedSecret(UndumpedSecret&& other) noexcept { swap(other); }
    UndumpedSecret& operator=(UndumpedSecret&& other) noexcept {
        UndumpedSecret(std::move(other)).swap(*this);
        return *this;
    }
    ~UndumpedSecret();

    /// The octets; valid until the secret is moved from, assigned or destroyed.
    [[nodiscard]] ByteView reveal() const noexcept { return {octets_, size_}; }

  private:
    UndumpedSecret() = default;
    void swap(UndumpedSecret& other) noexcept;
    [[nodiscard]] static Result<UndumpedSecret> reserve(std::size_t size);

    char* octets_ = nullptr;  // from mmap
    std::size_t size_ = 0;
};

}  // namespace gatepost::auth

// HMAC-SHA-256 over a list of parts, each behind its length so that no two lists read alike, under a key that
// is in no core dump. One short-lived state a digest: nothing that stands for the key stays on the heap. Any
// thread.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>

#include <openssl/evp.h>

#include "auth/check/undumped_secret.h"
#include "proxy/base/bytes.h"
#include "proxy/base/result.h"

namespace gatepost::auth {

using Digest = std::array<unsigned char, 32>;

[[nodiscard]] inline ByteView view_of(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

class KeyedDigest {
  public:
    [[nodiscard]] static Result<KeyedDigest> make(UndumpedSecret key);

    /// Nothing when libcrypto fails: the caller must then act as if it knew nothing.
    [[nodiscard]] std::optional<Digest> of(std::initializer_list<ByteView> parts) const;

  private:
    struct Free {
        void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
    };

    KeyedDigest(UndumpedSecret key, EVP_MAC* mac) : key_(std::move(key)), mac_(mac) {}

    UndumpedSecret key_;
    std::unique_ptr<EVP_MAC, Free> mac_;  // fetched once; shared by all threads
};

}  // namespace gatepost::auth

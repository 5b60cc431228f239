// Identical checks at the same time share one run: who comes first runs it, who comes later waits for its
// answer. Knows checks by VerifyCache::digest() only, never a password in clear. One thread: its worker's.
#pragma once

#include <cstddef>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "auth/check/keyed_digest.h"

namespace gatepost::auth {

template <typename Waiter>
class SingleFlight {
  public:
    /// Waits for the check `key`. True for the first: it must see that the check is run, and that finish() is
    /// called at its end whatever becomes of the first waiter meanwhile (cancelled, queue full, deadline).
    [[nodiscard]] bool join(const Digest& key, Waiter waiter) {
        const auto [flight, is_first] = flights_.try_emplace(key);
        flight->second.push_back(std::move(waiter));
        return is_first;
    }

    /// All who waited, in the order in which they came, the first included; nobody when there was no such
    /// check. Who joins from now on is a first again.
    [[nodiscard]] std::vector<Waiter> finish(const Digest& key) {
        auto flight = flights_.extract(key);
        return flight.empty() ? std::vector<Waiter>() : std::move(flight.mapped());
    }

    /// Checks in progress.
    [[nodiscard]] std::size_t size() const noexcept { return flights_.size(); }

  private:
    struct Hash {
        std::size_t operator()(const Digest& key) const noexcept {
            std::size_t hash = 0;  // a keyed digest is as good a hash as any
            std::memcpy(&hash, key.data(), sizeof hash);
            return hash;
        }
    };

    std::unordered_map<Digest, std::vector<Waiter>, Hash> flights_;
};

}  // namespace gatepost::auth

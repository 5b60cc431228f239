// Keys for users that nobody knows, so that SCRAM shows a stranger the same salt and count each time, as it
// does for a user: the salt is derived from a secret, the hash and the name (decisions.md 15). Nobody can
// have the password that belongs to the keys, which are random, are never shown, and so can be the same for
// all. Any thread.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "auth/check/scram_record.h"
#include "auth/check/undumped_secret.h"
#include "proxy/base/result.h"

namespace gatepost::auth {

class ScramFake {
  public:
    static constexpr std::size_t kMinSecretSize = 16;

    /// `secret`: what stands in auth.scram_secret_file. Replicas with the same one show the same salts. At
    /// least kMinSecretSize octets.
    [[nodiscard]] static Result<ScramFake> make(ByteView secret);

    /// A secret of this process: other replicas, and this one after its next start, show other salts.
    [[nodiscard]] static Result<ScramFake> make_random();

    /// The record that `user` would have. `iterations`, `salt_size`: what is usual in the store, or the
    /// stranger stands out by them; the size is held to 1 .. ScramRecord::kMaxSaltSize.
    [[nodiscard]] Result<ScramRecord> record(ScramHash hash, std::string_view user,
                                             int iterations = ScramRecord::kDefaultIterations,
                                             std::size_t salt_size = ScramRecord::kDefaultSaltSize) const;

  private:
    ScramFake(UndumpedSecret secret, UndumpedSecret keys)
        : secret_(std::move(secret)), keys_(std::move(keys)) {}
    [[nodiscard]] static Result<ScramFake> make(UndumpedSecret secret);

    UndumpedSecret secret_;
    UndumpedSecret keys_;
};

}  // namespace gatepost::auth

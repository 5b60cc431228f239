#include "auth/check/scram_fake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace gatepost::auth {
namespace {

constexpr std::size_t kBlockSize = 32;  // of SHA-256
constexpr std::size_t kMostOfKey = 64;  // SHA-512's

// As many octets as asked for: blocks of HMAC-SHA-256(secret, label NUL mechanism NUL counter NUL user), the
// counter one octet from 1. Replicas of different releases must agree, so this never changes.
std::optional<Secret> derive(ByteView secret, std::string_view label, ScramHash hash, std::string_view user,
                             std::size_t size) {
    std::string derived;
    derived.reserve(size + kBlockSize);  // grows without leaving a copy behind
    for (char counter = 1; derived.size() < size; ++counter) {
        std::string message(label);
        message.append(1, '\0').append(to_string(hash)).append(1, '\0');
        message.append(1, counter).append(1, '\0').append(user);
        std::array<unsigned char, kBlockSize> block{};
        if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                 reinterpret_cast<const unsigned char*>(message.data()), message.size(), block.data(),
                 nullptr) == nullptr) {
            wipe(derived.data(), derived.size());
            return std::nullopt;
        }
        derived.append(block.begin(), block.end());
        wipe(block.data(), block.size());
    }
    Secret octets(ByteView(derived).substr(0, size));
    wipe(derived.data(), derived.size());
    return octets;
}

}  // namespace

Result<ScramFake> ScramFake::make(ByteView secret) {
    if (secret.size() < kMinSecretSize)
        return fail("the secret for SCRAM is too short: it needs " + std::to_string(kMinSecretSize) +
                    " octets or more, such as those of `openssl rand -base64 32`");
    Result<UndumpedSecret> kept = UndumpedSecret::make(secret);
    if (!kept) return std::unexpected(kept.error());
    return make(std::move(*kept));
}

Result<ScramFake> ScramFake::make_random() {
    Result<UndumpedSecret> secret = UndumpedSecret::make_random(kBlockSize);
    if (!secret) return std::unexpected(secret.error());
    return make(std::move(*secret));
}

Result<ScramFake> ScramFake::make(UndumpedSecret secret) {
    Result<UndumpedSecret> keys = UndumpedSecret::make_random(2 * kMostOfKey);
    if (!keys) return std::unexpected(keys.error());
    return ScramFake(std::move(secret), std::move(*keys));
}

Result<ScramRecord> ScramFake::record(ScramHash hash, std::string_view user, int iterations,
                                      std::size_t salt_size) const {
    const std::optional<Secret> salt =
        derive(secret_.reveal(), "salt", hash, user,
               std::clamp<std::size_t>(salt_size, 1, ScramRecord::kMaxSaltSize));
    if (!salt) return fail("the key derivation of libcrypto failed");
    ScramRecord record;
    record.hash = hash;
    record.iterations = iterations;
    record.salt = salt->reveal();
    record.stored_key = Secret(keys_.reveal().substr(0, key_size(hash)));
    record.server_key = Secret(keys_.reveal().substr(kMostOfKey, key_size(hash)));
    return record;
}

}  // namespace gatepost::auth

#include "auth/check/keyed_digest.h"

#include <cstdint>
#include <string>

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace gatepost::auth {
namespace {

const unsigned char* octets(ByteView view) {
    return reinterpret_cast<const unsigned char*>(view.data());
}

struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

bool update(EVP_MAC_CTX* context, ByteView part) {
    std::array<unsigned char, 8> length{};
    std::uint64_t rest = part.size();
    for (unsigned char& octet : length) {
        octet = static_cast<unsigned char>(rest & 0xFF);
        rest >>= 8;
    }
    return EVP_MAC_update(context, length.data(), length.size()) == 1 &&
           (part.empty() || EVP_MAC_update(context, octets(part), part.size()) == 1);
}

}  // namespace

Result<KeyedDigest> KeyedDigest::make(UndumpedSecret key) {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    if (mac == nullptr) return fail("libcrypto has no HMAC");
    KeyedDigest digest(std::move(key), mac);
    if (!digest.of({})) return fail("libcrypto has no HMAC-SHA-256");
    return digest;
}

std::optional<Digest> KeyedDigest::of(std::initializer_list<ByteView> parts) const {
    const std::unique_ptr<EVP_MAC_CTX, FreeContext> context(EVP_MAC_CTX_new(mac_.get()));
    char name[] = "SHA256";  // the parameter wants it writable
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    if (context == nullptr ||
        EVP_MAC_init(context.get(), octets(key_.reveal()), key_.reveal().size(), parameters.data()) != 1) {
        return std::nullopt;
    }
    for (const ByteView part : parts) {
        if (!update(context.get(), part)) return std::nullopt;
    }
    Digest digest{};
    std::size_t size = 0;
    if (EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1 || size != digest.size())
        return std::nullopt;
    return digest;
}

}  // namespace gatepost::auth

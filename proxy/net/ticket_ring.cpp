#include "proxy/net/ticket_ring.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "proxy/net/secret_file.h"

namespace gatepost::net {

namespace {

const unsigned char* as_unsigned(ByteView octets) {
    return reinterpret_cast<const unsigned char*>(octets.data());
}

}  // namespace

std::unique_ptr<TicketKeys::Ring> TicketKeys::Ring::make(Secret octets) {
    auto ring = std::make_unique<Ring>();
    ring->octets_ = std::move(octets);
    ring->aes_.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
    return ring->aes_ ? std::move(ring) : nullptr;
}

bool TicketKeys::Ring::set_mac(ByteView key, EVP_MAC_CTX* mac) const {
    std::string digest = "SHA256";
    const std::array<OSSL_PARAM, 3> parameters = {
        OSSL_PARAM_construct_octet_string(
            OSSL_MAC_PARAM_KEY, const_cast<char*>(key.substr(kNameSize + kAesSize).data()), kMacSize),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

bool TicketKeys::Ring::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                            EVP_MAC_CTX* mac) const {
    const ByteView newest = key(0);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes_.get())) != 1) return false;
    std::ranges::copy(newest.substr(0, kNameSize), name);
    const unsigned char* aes_key = as_unsigned(newest.substr(kNameSize));
    return EVP_EncryptInit_ex2(cipher, aes_.get(), aes_key, iv, nullptr) == 1 && set_mac(newest, mac);
}

TicketKeys::Ring::Opened TicketKeys::Ring::open(const unsigned char* name, const unsigned char* iv,
                                                EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const {
    const ByteView wanted(reinterpret_cast<const char*>(name), kNameSize);
    for (std::size_t number = 0; number < octets_.size() / kKeySize; ++number) {
        const ByteView candidate = key(number);
        if (candidate.substr(0, kNameSize) != wanted) continue;
        const unsigned char* aes_key = as_unsigned(candidate.substr(kNameSize));
        if (EVP_DecryptInit_ex2(cipher, aes_.get(), aes_key, iv, nullptr) != 1 || !set_mac(candidate, mac)) {
            return Opened::kFailed;
        }
        return number == 0 ? Opened::kNewest : Opened::kOlder;
    }
    return Opened::kUnknownKey;
}

TicketKeys::TicketKeys(std::unique_ptr<Ring> ring) : ring_(std::move(ring)) {}
TicketKeys::~TicketKeys() = default;

Result<std::shared_ptr<const TicketKeys>> TicketKeys::random() {
    std::array<char, Ring::kKeySize> octets{};
    const bool is_random = RAND_priv_bytes(reinterpret_cast<unsigned char*>(octets.data()),
                                           static_cast<int>(octets.size())) == 1;
    Secret key(ByteView(octets.data(), octets.size()));
    wipe(octets.data(), octets.size());
    auto ring = is_random ? Ring::make(std::move(key)) : nullptr;
    if (!ring) return fail("session-ticket keys: OpenSSL has no randomness or no AES-256-CBC");
    return std::make_shared<const TicketKeys>(std::move(ring));
}

Result<std::shared_ptr<const TicketKeys>> TicketKeys::load(const std::string& path) {
    auto octets = read_secret_file(path);
    if (!octets) return fail("ticket_keys " + path + ": " + octets.error().message);
    if (octets->empty() || octets->size() % Ring::kKeySize != 0) {
        return fail("ticket_keys " + path + ": holds " + std::to_string(octets->size()) +
                    " octets; keys have 80 each (openssl rand 80 makes one)");
    }
    auto ring = Ring::make(std::move(*octets));
    if (!ring) return fail("ticket_keys " + path + ": OpenSSL has no AES-256-CBC");
    return std::make_shared<const TicketKeys>(std::move(ring));
}

}  // namespace gatepost::net

// The keys inside TicketKeys, and the sealing and opening of session tickets with them (RFC 5077 section 4:
// AES-256-CBC and HMAC-SHA-256). Keeps keys only in memory that is wiped. Any thread.
#pragma once

#include <memory>
#include <vector>

#include <openssl/evp.h>

#include "proxy/base/secret.h"
#include "proxy/net/tls_context.h"

namespace gatepost::net {

struct TicketKeys::Ring {
    static constexpr std::size_t kNameSize = 16;
    static constexpr std::size_t kAesSize = 32;
    static constexpr std::size_t kMacSize = 32;
    static constexpr std::size_t kKeySize = kNameSize + kAesSize + kMacSize;

    enum class Opened { kNewest, kOlder, kUnknownKey, kFailed };

    /// `octets` is one or more keys of kKeySize. nullptr when OpenSSL lacks the algorithms.
    [[nodiscard]] static std::unique_ptr<Ring> make(Secret octets);

    /// OpenSSL's ticket callback, to seal: fills the key's name (16 octets) and a random IV (16), sets up
    /// both contexts.
    [[nodiscard]] bool seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                            EVP_MAC_CTX* mac) const;
    /// The same to open a ticket that carries `name` and `iv`.
    [[nodiscard]] Opened open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                              EVP_MAC_CTX* mac) const;

  private:
    struct FreeCipher {
        void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
    };

    [[nodiscard]] ByteView key(std::size_t number) const {
        return octets_.reveal().substr(number * kKeySize, kKeySize);
    }
    [[nodiscard]] bool set_mac(ByteView key, EVP_MAC_CTX* mac) const;

    Secret octets_;
    std::unique_ptr<EVP_CIPHER, FreeCipher> aes_;  ///< fetched once: looking it up costs more than a ticket
};

}  // namespace gatepost::net

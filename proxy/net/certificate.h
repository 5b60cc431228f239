// One certificate with its chain and key, read from PEM files and found to fit together. Blocks on files;
// keeps no secret outside OpenSSL. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "proxy/base/result.h"
#include "proxy/net/tls_context.h"

namespace gatepost::net {

template <typename T, void (*Free)(T*)>
struct Freeing {
    void operator()(T* object) const noexcept { Free(object); }
};
inline void free_bio(BIO* bio) {
    BIO_free(bio);
}
using BioPointer = std::unique_ptr<BIO, Freeing<BIO, free_bio>>;
using CertificatePointer = std::unique_ptr<X509, Freeing<X509, X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY, EVP_PKEY_free>>;

[[nodiscard]] std::string lower_case(std::string_view text);

/// OpenSSL's reason for what failed last; empties its error queue.
[[nodiscard]] std::string openssl_reason();

struct LoadedCertificate {
    std::vector<CertificatePointer> chain;  ///< leaf first
    KeyPointer key;
    CertificateFacts facts;
};

/// The error says which of the two files and what is wrong with it.
[[nodiscard]] Result<LoadedCertificate> load_certificate(const CertificateFiles& files);

/// Adds it to `context`, which may hold one for each type of key. False leaves the reason to
/// openssl_reason().
[[nodiscard]] bool use_certificate(SSL_CTX* context, const LoadedCertificate& loaded);

}  // namespace gatepost::net

#include "proxy/net/tls_channel.h"

#include <array>
#include <memory>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace gatepost::net {
namespace {

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

/// The text of a name; "" when a NUL hides what stands behind it.
std::string text_of(const ASN1_STRING* name) {
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)),
                           static_cast<std::size_t>(ASN1_STRING_length(name)));
    return text.find('\0') == std::string::npos ? text : std::string();
}

std::string alternative_name(const X509* certificate, int type) {
    const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == type) return text_of(name->d.ia5);  // rfc822Name and URI are both IA5Strings
    }
    return {};
}

std::string common_name(const X509* certificate) {
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    const std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return text.find('\0') == std::string::npos ? text : std::string();
}

}  // namespace

std::string tls_exporter(SSL* session) {
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    if (session == nullptr || SSL_version(session) < TLS1_3_VERSION) return {};
    std::string octets(32, '\0');
    const int done = SSL_export_keying_material(session, reinterpret_cast<unsigned char*>(octets.data()),
                                                octets.size(), kLabel.data(), kLabel.size(), nullptr, 0, 0);
    return done == 1 ? octets : std::string();
}

std::string tls_server_end_point(SSL* session) {
    const X509* const certificate = session == nullptr ? nullptr : SSL_get_certificate(session);
    if (certificate == nullptr) return {};
    int digest = NID_undef;
    if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr) != 1) return {};
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;  // RFC 5929 section 4.1
    const EVP_MD* const method = EVP_get_digestbynid(digest);
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    if (method == nullptr || X509_digest(certificate, method, octets.data(), &size) != 1) return {};
    return {reinterpret_cast<const char*>(octets.data()), size};
}

std::string client_certificate_name(SSL* session, CertificateName which) {
    if (session == nullptr || SSL_get_verify_result(session) != X509_V_OK) return {};
    const X509* const certificate = SSL_get0_peer_certificate(session);
    if (certificate == nullptr) return {};
    switch (which) {
        case CertificateName::kEmail: return alternative_name(certificate, GEN_EMAIL);
        case CertificateName::kUri: return alternative_name(certificate, GEN_URI);
        case CertificateName::kCommonName: return common_name(certificate);
    }
    return {};
}

}  // namespace gatepost::net

#include "proxy/net/certificate.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "proxy/net/secret_file.h"

namespace gatepost::net {

std::string lower_case(std::string_view text) {
    std::string lowered(text);
    for (char& octet : lowered) {
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<char>(octet - 'A' + 'a');
    }
    return lowered;
}

std::string openssl_reason() {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason == nullptr ? "unknown error" : reason;
}

namespace {

int never_ask_for_passphrase(char* /*space*/, int /*size*/, int /*writing*/, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
}

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> names;
    auto* alternatives =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int at = 0; at < sk_GENERAL_NAME_num(alternatives); ++at) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, at);
        if (name->type != GEN_DNS) continue;
        const char* octets = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
        names.push_back(lower_case({octets, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
    }
    GENERAL_NAMES_free(alternatives);
    if (names.empty()) {
        std::array<char, 256> common{};
        const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                                   common.data(), static_cast<int>(common.size()));
        if (size > 0) names.push_back(lower_case({common.data(), static_cast<std::size_t>(size)}));
    }
    std::ranges::sort(names);
    return names;
}

WallTime not_after_of(const X509* certificate) {
    std::tm parts{};
    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts);
    return std::chrono::time_point_cast<std::chrono::seconds>(
        std::chrono::system_clock::from_time_t(::timegm(&parts)));
}

Result<std::vector<CertificatePointer>> load_chain(const std::string& path) {
    const auto text = read_secret_file(path);
    if (!text) return fail("certificate " + path + ": " + text.error().message);
    const BioPointer source(BIO_new_mem_buf(text->reveal().data(), static_cast<int>(text->size())));
    std::vector<CertificatePointer> chain;
    while (X509* next = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) chain.emplace_back(next);
    const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string reason = openssl_reason();
    if (chain.empty() && is_at_end) return fail("certificate " + path + ": holds no PEM certificate");
    if (!is_at_end) return fail("certificate " + path + ": " + reason);
    return chain;
}

Result<KeyPointer> load_key(const std::string& path) {
    const auto text = read_secret_file(path);
    if (!text) return fail("key " + path + ": " + text.error().message);
    const BioPointer source(BIO_new_mem_buf(text->reveal().data(), static_cast<int>(text->size())));
    bool is_encrypted = false;
    KeyPointer key(PEM_read_bio_PrivateKey(source.get(), nullptr, never_ask_for_passphrase, &is_encrypted));
    if (key) return key;
    const bool is_not_pem = text->reveal().find("PRIVATE KEY-----") == ByteView::npos;
    const std::string reason = openssl_reason();
    if (is_encrypted) return fail("key " + path + ": is encrypted; Gatepost needs it without a passphrase");
    return fail("key " + path + ": " + (is_not_pem ? "holds no PEM private key" : reason));
}

}  // namespace

Result<LoadedCertificate> load_certificate(const CertificateFiles& files) {
    auto chain = load_chain(files.certificate);
    if (!chain) return std::unexpected(chain.error());
    auto key = load_key(files.key);
    if (!key) return std::unexpected(key.error());
    X509* leaf = chain->front().get();
    if (X509_check_private_key(leaf, key->get()) != 1) {
        ERR_clear_error();
        return fail("key " + files.key + ": does not belong to certificate " + files.certificate);
    }
    CertificateFacts facts{
        .path = files.certificate, .names = names_of(leaf), .not_after = not_after_of(leaf)};
    return LoadedCertificate{.chain = std::move(*chain), .key = std::move(*key), .facts = std::move(facts)};
}

bool use_certificate(SSL_CTX* context, const LoadedCertificate& loaded) {
    if (SSL_CTX_use_certificate(context, loaded.chain.front().get()) != 1) return false;
    if (SSL_CTX_use_PrivateKey(context, loaded.key.get()) != 1) return false;
    for (std::size_t at = 1; at < loaded.chain.size(); ++at) {
        if (SSL_CTX_add1_chain_cert(context, loaded.chain[at].get()) != 1) return false;
    }
    return true;
}

}  // namespace gatepost::net

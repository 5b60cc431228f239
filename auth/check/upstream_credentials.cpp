#include "auth/check/upstream_credentials.h"

#include <array>
#include <cstddef>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "auth/check/joined.h"
#include "proxy/smtp/command.h"

namespace gatepost::auth {
namespace {

constexpr std::string_view kPlain = "PLAIN";
constexpr std::string_view kLogin = "LOGIN";
constexpr std::string_view kCramMd5 = "CRAM-MD5";
constexpr std::array kOrderOverTls{kPlain, kLogin, kCramMd5};
constexpr std::array kOrderInTheClear{kCramMd5, kPlain, kLogin};

/// "AUTH PLAIN ", base64 and CRLF in one command line (RFC 4954 section 4 knows no longer one).
constexpr std::size_t kMaxPlainInCommand = (512 - 11 - 2) / 4 * 3;

constexpr std::size_t kMd5Size = 16;

struct FreeMac {
    void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
};

struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

const unsigned char* octets(ByteView view) {
    return reinterpret_cast<const unsigned char*>(view.data());
}

/// In lower-case hex. Nothing where libcrypto has no MD5, as in FIPS mode.
std::optional<std::string> hmac_md5(ByteView key, ByteView text) {
    const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    if (mac == nullptr) return std::nullopt;
    const std::unique_ptr<EVP_MAC_CTX, FreeContext> context(EVP_MAC_CTX_new(mac.get()));
    char name[] = "MD5";  // the parameter wants it writable
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    std::array<unsigned char, kMd5Size> digest{};
    std::size_t size = 0;
    // A null key would mean the last one again.
    if (context == nullptr ||
        EVP_MAC_init(context.get(), octets(key.empty() ? ByteView("") : key), key.size(),
                     parameters.data()) != 1 ||
        EVP_MAC_update(context.get(), octets(text), text.size()) != 1 ||
        EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1 || size != digest.size()) {
        return std::nullopt;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string hex;
    for (const unsigned char octet : digest) {
        hex += kHex[octet >> 4];
        hex += kHex[octet & 15];
    }
    return hex;
}

}  // namespace

std::optional<smtp::AuthClient::Start> UpstreamCredentials::begin(std::string_view announced,
                                                                  bool is_secured) const {
    for (const std::string_view mechanism : is_secured ? kOrderOverTls : kOrderInTheClear) {
        if (!smtp::has_word(announced, mechanism)) continue;
        if (mechanism == kCramMd5 && !hmac_md5({}, {})) continue;
        Start start{.mechanism = std::string(mechanism), .initial_response = std::nullopt};
        if (mechanism == kPlain && plain_fits_in_command()) start.initial_response = plain_message();
        return start;
    }
    return std::nullopt;
}

std::optional<Secret> UpstreamCredentials::answer(std::string_view mechanism, int step,
                                                  ByteView challenge) const {
    if (smtp::equal_ignoring_case(mechanism, kLogin)) {
        // The prompts are whatever the upstream likes: "Username:", "User Name", nothing.
        if (step == 0) return Secret(user_);
        if (step == 1) return password_.clone();
    }
    if (step != 0) return std::nullopt;
    if (smtp::equal_ignoring_case(mechanism, kPlain) && !plain_fits_in_command()) return plain_message();
    if (smtp::equal_ignoring_case(mechanism, kCramMd5)) return cram_md5(challenge);
    return std::nullopt;
}

Secret UpstreamCredentials::plain_message() const {
    constexpr ByteView kNul{"\0", 1};
    return joined({kNul, user_, kNul, password_.reveal()});
}

bool UpstreamCredentials::plain_fits_in_command() const {
    return 2 + user_.size() + password_.size() <= kMaxPlainInCommand;
}

std::optional<Secret> UpstreamCredentials::cram_md5(ByteView challenge) const {
    // Without a challenge the answer would be good for ever.
    if (challenge.empty()) return std::nullopt;
    const auto digest = hmac_md5(password_.reveal(), challenge);
    if (!digest) return std::nullopt;
    return joined({user_, " ", *digest});
}

}  // namespace gatepost::auth

#include "auth/check/scram_record.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stringprep.h>

#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

constexpr std::size_t kKeySize = SHA256_DIGEST_LENGTH;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kMaxSaltSize = 1024;

using Key = std::array<unsigned char, kKeySize>;

const unsigned char* octets(ByteView view) {
    return reinterpret_cast<const unsigned char*>(view.data());
}
ByteView view_of(const Key& key) {
    return {reinterpret_cast<const char*>(key.data()), key.size()};
}

struct Keys {
    Key salted{};
    Key client{};
    Key stored{};
    Key server{};
    Keys() = default;
    Keys(const Keys&) = delete;
    Keys& operator=(const Keys&) = delete;
    ~Keys() { wipe(this, sizeof *this); }
};

// RFC 5802 section 3: SaltedPassword, ClientKey, StoredKey, ServerKey.
bool derive(ByteView prepared, ByteView salt, int iterations, Keys& keys) {
    const auto hmac = [&keys](ByteView label, Key& to) {
        unsigned int size = 0;
        return HMAC(EVP_sha256(), keys.salted.data(), static_cast<int>(keys.salted.size()), octets(label),
                    label.size(), to.data(), &size) != nullptr;
    };
    return PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), octets(salt),
                             static_cast<int>(salt.size()), iterations, EVP_sha256(),
                             static_cast<int>(keys.salted.size()), keys.salted.data()) == 1 &&
           hmac("Client Key", keys.client) && hmac("Server Key", keys.server) &&
           SHA256(keys.client.data(), keys.client.size(), keys.stored.data()) != nullptr;
}

std::unexpected<Error> bad(std::string_view what) {
    return fail("{SCRAM-SHA-256}: " + std::string(what) +
                "; expected iterations,salt,StoredKey,ServerKey (base64 parts)");
}

std::optional<Secret> decoded_key(ByteView part) {
    std::optional<Secret> key = base64_decode(part);
    if (!key || key->size() != kKeySize) return std::nullopt;
    return key;
}

}  // namespace

Result<Secret> saslprep(ByteView password) {
    // Printable ASCII is its own preparation; the rest goes through libidn, in a buffer that is wiped.
    if (std::ranges::all_of(password, [](char c) { return c >= 0x20 && c <= 0x7E; })) return Secret(password);
    constexpr std::size_t kMostExpansion = 12;  // NFKC makes 33 octets of the 3 of U+FDFA
    std::vector<char> buffer(password.size() * kMostExpansion + 1, '\0');
    std::memcpy(buffer.data(), password.data(), password.size());
    const int status = password.find('\0') != ByteView::npos
                           ? STRINGPREP_CONTAINS_PROHIBITED
                           : stringprep(buffer.data(), buffer.size(),
                                        static_cast<Stringprep_profile_flags>(0), stringprep_saslprep);
    Secret prepared = status == STRINGPREP_OK ? Secret(ByteView(buffer.data())) : Secret();
    wipe(buffer.data(), buffer.size());
    if (prepared.empty())
        return fail("the password is not UTF-8, or SASLprep (RFC 4013) forbids a character of it");
    return prepared;
}

Result<ScramRecord> ScramRecord::parse(ByteView body) {
    std::array<ByteView, 4> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t comma = body.find(',');
        if ((comma == ByteView::npos) != (i + 1 == parts.size())) return bad("wrong number of parts");
        parts[i] = body.substr(0, comma);
        if (comma != ByteView::npos) body.remove_prefix(comma + 1);
    }
    ScramRecord record;
    const char* const end = parts[0].data() + parts[0].size();
    const auto [rest, error] = std::from_chars(parts[0].data(), end, record.iterations);
    if (error != std::errc() || rest != end || record.iterations < kMinIterations ||
        record.iterations > kMaxIterations) {
        return bad("iterations must be " + std::to_string(kMinIterations) + " to " +
                   std::to_string(kMaxIterations));
    }
    const std::optional<Secret> salt = base64_decode(parts[1]);
    if (!salt || salt->empty() || salt->size() > kMaxSaltSize)
        return bad("the salt is not base64 of 1 to 1024 octets");
    record.salt = salt->reveal();
    std::optional<Secret> stored = decoded_key(parts[2]);
    std::optional<Secret> server = decoded_key(parts[3]);
    if (!stored || !server) return bad("a key is not base64 of 32 octets");
    record.stored_key = std::move(*stored);
    record.server_key = std::move(*server);
    return record;
}

Result<ScramRecord> ScramRecord::make(ByteView password, std::string salt, int iterations) {
    const Result<Secret> prepared = saslprep(password);
    if (!prepared) return std::unexpected(prepared.error());
    Keys keys;
    if (!derive(prepared->reveal(), salt, iterations, keys))
        return fail("the key derivation of libcrypto failed");
    ScramRecord record;
    record.iterations = iterations;
    record.salt = std::move(salt);
    record.stored_key = Secret(view_of(keys.stored));
    record.server_key = Secret(view_of(keys.server));
    return record;
}

Result<ScramRecord> ScramRecord::make(ByteView password) {
    std::array<unsigned char, kSaltSize> salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1)
        return fail("no random numbers for a salt");
    return make(password, std::string(salt.begin(), salt.end()), kDefaultIterations);
}

bool ScramRecord::matches(ByteView password) const {
    const Result<Secret> prepared = saslprep(password);
    // What cannot be prepared costs as much as what can: a refusal must not be told from a wrong password by
    // its time.
    Keys keys;
    const bool derived = derive(prepared ? prepared->reveal() : ByteView("-"), salt, iterations, keys);
    const bool equal = equal_in_constant_time(view_of(keys.stored), stored_key.reveal());
    return derived && equal && prepared.has_value();
}

Secret ScramRecord::text() const {
    std::string text = "{SCRAM-SHA-256}" + std::to_string(iterations) + "," + base64_encode(salt) + "," +
                       base64_encode(stored_key.reveal()) + "," + base64_encode(server_key.reveal());
    Secret secret(text);
    wipe(text.data(), text.size());
    return secret;
}

std::string ScramRecord::describe() const {
    return "{SCRAM-SHA-256} " + std::to_string(iterations) + " iterations";
}

}  // namespace gatepost::auth

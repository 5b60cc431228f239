#include "auth/check/scram_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stringprep.h>

#include "auth/check/joined.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

struct HashRow {
    ScramHash hash;
    std::string_view name;
    std::size_t key_size;
    const EVP_MD* (*digest)();
};

constexpr std::array<HashRow, 3> kHashes{{
    {ScramHash::kSha1, "SCRAM-SHA-1", 20, EVP_sha1},
    {ScramHash::kSha256, "SCRAM-SHA-256", 32, EVP_sha256},
    {ScramHash::kSha512, "SCRAM-SHA-512", 64, EVP_sha512},
}};
constexpr std::size_t kMaxKeySize = 64;

const HashRow& row_of(ScramHash hash) {
    return *std::ranges::find(kHashes, hash, &HashRow::hash);
}

using Key = std::array<unsigned char, kMaxKeySize>;  // the first key_size() octets of it

const unsigned char* octets(ByteView view) {
    return reinterpret_cast<const unsigned char*>(view.data());
}
ByteView view_of(const Key& key, ScramHash hash) {
    return {reinterpret_cast<const char*>(key.data()), key_size(hash)};
}

Secret in_base64(ByteView octets) {
    std::string text = base64_encode(octets);
    Secret secret(text);
    wipe(text.data(), text.size());
    return secret;
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
bool derive(ScramHash hash, ByteView prepared, ByteView salt, int iterations, Keys& keys) {
    const EVP_MD* const digest = row_of(hash).digest();
    const std::size_t size = key_size(hash);
    const auto hmac = [&keys, digest, size](ByteView label, Key& to) {
        return HMAC(digest, keys.salted.data(), static_cast<int>(size), octets(label), label.size(),
                    to.data(), nullptr) != nullptr;
    };
    return PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), octets(salt),
                             static_cast<int>(salt.size()), iterations, digest, static_cast<int>(size),
                             keys.salted.data()) == 1 &&
           hmac("Client Key", keys.client) && hmac("Server Key", keys.server) &&
           EVP_Digest(keys.client.data(), size, keys.stored.data(), nullptr, digest, nullptr) == 1;
}

std::unexpected<Error> bad(ScramHash hash, std::string_view what) {
    return fail("{" + std::string(to_string(hash)) + "}: " + std::string(what) +
                "; expected iterations,salt,StoredKey,ServerKey (base64 parts)");
}

std::optional<Secret> decoded_key(ByteView part, ScramHash hash) {
    std::optional<Secret> key = base64_decode(part);
    if (!key || key->size() != key_size(hash)) return std::nullopt;
    return key;
}

}  // namespace

std::string_view to_string(ScramHash hash) {
    return row_of(hash).name;
}

std::optional<ScramHash> scram_hash_of(std::string_view mechanism) {
    constexpr std::string_view kPlus = "-PLUS";
    if (mechanism.ends_with(kPlus)) mechanism.remove_suffix(kPlus.size());
    const auto* const row = std::ranges::find(kHashes, mechanism, &HashRow::name);
    return row == kHashes.end() ? std::nullopt : std::optional(row->hash);
}

std::size_t key_size(ScramHash hash) {
    return row_of(hash).key_size;
}

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

Result<ScramRecord> ScramRecord::parse(ScramHash hash, ByteView body) {
    std::array<ByteView, 4> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t comma = body.find(',');
        if ((comma == ByteView::npos) != (i + 1 == parts.size())) return bad(hash, "wrong number of parts");
        parts[i] = body.substr(0, comma);
        if (comma != ByteView::npos) body.remove_prefix(comma + 1);
    }
    ScramRecord record;
    record.hash = hash;
    const char* const end = parts[0].data() + parts[0].size();
    const auto [rest, error] = std::from_chars(parts[0].data(), end, record.iterations);
    if (error != std::errc() || rest != end || record.iterations < kMinIterations ||
        record.iterations > kMaxIterations) {
        return bad(hash, "iterations must be " + std::to_string(kMinIterations) + " to " +
                             std::to_string(kMaxIterations));
    }
    const std::optional<Secret> salt = base64_decode(parts[1]);
    if (!salt || salt->empty() || salt->size() > kMaxSaltSize)
        return bad(hash, "the salt is not base64 of 1 to 1024 octets");
    record.salt = salt->reveal();
    std::optional<Secret> stored = decoded_key(parts[2], hash);
    std::optional<Secret> server = decoded_key(parts[3], hash);
    if (!stored || !server)
        return bad(hash, "a key is not base64 of " + std::to_string(key_size(hash)) + " octets");
    record.stored_key = std::move(*stored);
    record.server_key = std::move(*server);
    return record;
}

Result<ScramRecord> ScramRecord::make(ScramHash hash, ByteView password, std::string salt, int iterations) {
    const Result<Secret> prepared = saslprep(password);
    if (!prepared) return std::unexpected(prepared.error());
    Keys keys;
    if (!derive(hash, prepared->reveal(), salt, iterations, keys))
        return fail("the key derivation of libcrypto failed");
    ScramRecord record;
    record.hash = hash;
    record.iterations = iterations;
    record.salt = std::move(salt);
    record.stored_key = Secret(view_of(keys.stored, hash));
    record.server_key = Secret(view_of(keys.server, hash));
    return record;
}

Result<ScramRecord> ScramRecord::make(ScramHash hash, ByteView password) {
    std::array<unsigned char, kDefaultSaltSize> salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1)
        return fail("no random numbers for a salt");
    return make(hash, password, std::string(salt.begin(), salt.end()), kDefaultIterations);
}

bool ScramRecord::matches(ByteView password) const {
    const Result<Secret> prepared = saslprep(password);
    // What cannot be prepared costs as much as what can: a refusal must not be told from a wrong password by
    // its time.
    Keys keys;
    const bool derived = derive(hash, prepared ? prepared->reveal() : ByteView("-"), salt, iterations, keys);
    const bool equal = equal_in_constant_time(view_of(keys.stored, hash), stored_key.reveal());
    return derived && equal && prepared.has_value();
}

Secret ScramRecord::text() const {
    const std::string before = "{" + std::string(to_string(hash)) + "}" + std::to_string(iterations) + "," +
                               base64_encode(salt) + ",";
    return joined(
        {before, in_base64(stored_key.reveal()).reveal(), ",", in_base64(server_key.reveal()).reveal()});
}

Secret ScramRecord::auth_password() const {
    const std::string before =
        std::string(to_string(hash)) + "$" + std::to_string(iterations) + ":" + base64_encode(salt) + "$";
    return joined(
        {before, in_base64(stored_key.reveal()).reveal(), ":", in_base64(server_key.reveal()).reveal()});
}

std::string ScramRecord::describe() const {
    return "{" + std::string(to_string(hash)) + "} " + std::to_string(iterations) + " iterations";
}

}  // namespace gatepost::auth

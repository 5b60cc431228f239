#include "auth/check/crypt_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <crypt.h>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "auth/check/joined.h"

namespace gatepost::auth {
namespace {

constexpr std::uint64_t kMaxMemory = std::uint64_t{256} << 20;  // octets, for yescrypt and scrypt
constexpr int kMaxBcryptCost = 14;
constexpr long kMinShaRounds = 1000;
constexpr long kMaxShaRounds = 1'000'000;
constexpr std::size_t kMaxTextSize = CRYPT_OUTPUT_SIZE - 1;
constexpr std::size_t kDesSize = 13;
constexpr std::size_t kBcryptMaxPassword = 72;

constexpr std::string_view kItoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// A cost that is out of bounds is nothing; else its name for people.
using CostReader = std::optional<std::string> (*)(ByteView behind_prefix);

std::optional<std::string> no_cost(ByteView) {
    return "";
}

std::optional<std::string> bcrypt_cost(ByteView text) {
    if (text.size() != 56 || text[2] != '$') return std::nullopt;
    int cost = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + 2, cost);
    if (error != std::errc() || rest != text.data() + 2 || cost < 4 || cost > kMaxBcryptCost)
        return std::nullopt;
    return "cost " + std::to_string(cost);
}

std::optional<std::string> sha_cost(ByteView text) {
    if (!text.starts_with("rounds=")) return "5000 rounds";
    text.remove_prefix(7);
    long rounds = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), rounds);
    if (error != std::errc() || rest == text.data() + text.size() || *rest != '$') return std::nullopt;
    if (rounds < kMinShaRounds || rounds > kMaxShaRounds) return std::nullopt;
    return std::to_string(rounds) + " rounds";
}

std::optional<std::string> memory_cost(std::uint64_t log2_blocks, std::uint64_t block_size,
                                       std::uint64_t lanes) {
    if (log2_blocks < 1 || log2_blocks > 24 || block_size < 1 || block_size > 1024 || lanes < 1 ||
        lanes > 16) {
        return std::nullopt;
    }
    const std::uint64_t memory = 128 * (std::uint64_t{1} << log2_blocks) * block_size * lanes;
    if (memory > kMaxMemory) return std::nullopt;
    return std::to_string(memory >> 10) + " KiB";
}

// "jNr$salt$hash" with one digit each for N and r, as crypt_gensalt makes it; the optional parameters are
// refused.
std::optional<std::string> yescrypt_cost(ByteView text) {
    constexpr std::size_t kOneDigit = 48;  // larger values continue in further digits
    if (text.size() < 4 || text[0] != 'j' || text[3] != '$') return std::nullopt;
    const std::size_t blocks = kItoa64.find(text[1]);
    const std::size_t size = kItoa64.find(text[2]);
    if (blocks >= kOneDigit || size >= kOneDigit) return std::nullopt;
    return memory_cost(blocks + 1, size + 1, 1);
}

// "NrrrrrpppppSALT$hash".
std::optional<std::string> scrypt_cost(ByteView text) {
    if (text.size() < 12) return std::nullopt;
    const auto number = [&text](std::size_t from, std::size_t digits) {
        std::uint64_t value = 0;
        for (std::size_t i = digits; i-- > 0;) value = value << 6 | (kItoa64.find(text[from + i]) & 0x3F);
        return value;
    };
    if (text.substr(0, 11).find_first_not_of(kItoa64) != ByteView::npos) return std::nullopt;
    return memory_cost(number(0, 1), number(1, 5), number(6, 5));
}

struct Method {
    std::string_view prefix;
    std::string_view name;     // for people
    std::string_view dovecot;  // Dovecot's {…} that may stand before it
    std::size_t hash_size;     // of the part behind the last "$"
    CostReader cost;
    unsigned long default_cost;    // for make(), as crypt_gensalt takes it
    std::size_t longest_password;  // longer ones would be cut short or refused by the method
};

constexpr std::array<Method, 11> kMethods{{
    {"$y$", "yescrypt", "CRYPT", 43, yescrypt_cost, 5, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"$gy$", "gost-yescrypt", "CRYPT", 43, yescrypt_cost, 5, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"$2b$", "bcrypt", "BLF-CRYPT", 53, bcrypt_cost, 10, kBcryptMaxPassword},
    {"$2y$", "bcrypt", "BLF-CRYPT", 53, bcrypt_cost, 10, kBcryptMaxPassword},
    {"$2a$", "bcrypt", "BLF-CRYPT", 53, bcrypt_cost, 10, kBcryptMaxPassword},
    {"$2x$", "bcrypt", "BLF-CRYPT", 53, bcrypt_cost, 10, kBcryptMaxPassword},
    {"$6$", "sha512-crypt", "SHA512-CRYPT", 86, sha_cost, 50'000, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"$5$", "sha256-crypt", "SHA256-CRYPT", 43, sha_cost, 50'000, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"$7$", "scrypt", "CRYPT", 43, scrypt_cost, 7, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"$1$", "md5-crypt", "MD5-CRYPT", 22, no_cost, 0, CRYPT_MAX_PASSPHRASE_SIZE - 1},
    {"", "des-crypt", "DES-CRYPT", kDesSize, no_cost, 0, 8},  // last: it matches everything
}};

const Method& method_of(ByteView hash) {
    return *std::ranges::find_if(kMethods,
                                 [hash](const Method& method) { return hash.starts_with(method.prefix); });
}

// What crypt(3) itself allows in a setting.
bool is_hash_char(char c) {
    return c > ' ' && c <= '~' && std::string_view(":;*!\\").find(c) == std::string_view::npos;
}

std::string called(std::string_view scheme, const Method& method) {
    return scheme.empty() ? std::string(method.prefix) : "{" + std::string(scheme) + "}";
}

// crypt(3) works in 32 KiB: one on the heap for each thread that hashes, wiped after each use.
crypt_data& workspace() {
    thread_local const std::unique_ptr<crypt_data> data = std::make_unique<crypt_data>();
    return *data;
}

// The hash of `password` by `setting`, "" when crypt(3) refuses.
Secret hashed(const char* setting, ByteView password) {
    if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE || password.find('\0') != ByteView::npos) return {};
    crypt_data& data = workspace();
    wipe(&data, sizeof data);
    password.copy(data.input, password.size());
    const char* const result = crypt_r(data.input, setting, &data);
    Secret hash = result == nullptr || result[0] == '*' ? Secret() : Secret(ByteView(result));
    wipe(&data, sizeof data);
    return hash;
}

}  // namespace

Result<CryptRecord> CryptRecord::parse(std::string_view scheme, ByteView body) {
    if (body.starts_with("$apr1$")) {
        return fail(
            "$apr1$ is Apache's own MD5 hash, which crypt(3) does not know: make a new record with `gatepost "
            "hash`");
    }
    const Method& method = method_of(body);
    const std::string name = called(scheme, method);
    if (body.size() > kMaxTextSize || !std::ranges::all_of(body, is_hash_char))
        return fail(name + ": no crypt(3) hash");
    if (method.prefix.empty() &&
        (scheme.empty() || body.size() != kDesSize || body.find('$') != ByteView::npos)) {
        return fail((scheme.empty() ? "this kind of crypt(3) hash" : name + ": this kind of hash") +
                    " is not known or its cost cannot be bounded: make a new record with `gatepost hash`");
    }
    if (!scheme.empty() && scheme != "CRYPT" && scheme != method.dovecot) {
        return fail(name + ": the hash is of another kind (" + std::string(method.name) + ")");
    }
    const std::size_t last = body.rfind('$');
    const std::size_t hash_size = last == ByteView::npos ? body.size() : body.size() - last - 1;
    if (hash_size != method.hash_size) return fail(name + ": the hash is cut short or too long");
    if (!method.cost(body.substr(method.prefix.size()))) {
        return fail(
            name +
            ": cost is malformed or out of bounds (bcrypt 4 to 14, SHA 1000 to 1000000 rounds, 256 MiB)");
    }
    CryptRecord record{.hash = Secret(body)};
    const Secret setting = joined({body, ByteView("", 1)});
    const int state = crypt_checksalt(setting.reveal().data());
    if (state == CRYPT_SALT_INVALID || state == CRYPT_SALT_METHOD_DISABLED) {
        return fail(name + ": this system's crypt(3) does not take it");
    }
    return record;
}

Result<CryptRecord> CryptRecord::make(std::string_view prefix, ByteView password) {
    const Method& method = method_of(prefix);
    if (password.size() > method.longest_password) {
        return fail(std::string(method.name) + " takes passwords of at most " +
                    std::to_string(method.longest_password) + " octets");
    }
    std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
    const std::string terminated(prefix);
    if (crypt_gensalt_rn(terminated.c_str(), method.default_cost, nullptr, 0, setting.data(),
                         static_cast<int>(setting.size())) == nullptr) {
        return fail(std::string(method.name) + ": crypt(3) makes no salt for it");
    }
    const Secret hash = hashed(setting.data(), password);
    if (hash.empty()) return fail(std::string(method.name) + ": crypt(3) refused the password");
    return parse("", hash.reveal());
}

Secret CryptRecord::text() const {
    if (hash.reveal().starts_with('$')) return hash.clone();
    return joined({"{CRYPT}", hash.reveal()});  // without it a DES hash could be anything
}

bool CryptRecord::matches(ByteView password) const {
    const Secret setting = joined({hash.reveal(), ByteView("", 1)});
    const Secret computed = hashed(setting.reveal().data(), password);
    return !computed.empty() && equal_in_constant_time(computed.reveal(), hash.reveal());
}

std::string CryptRecord::describe() const {
    const Method& method = method_of(hash.reveal());
    const std::optional<std::string> cost = method.cost(hash.reveal().substr(method.prefix.size()));
    return std::string(method.name) + (cost && !cost->empty() ? " " + *cost : "");
}

}  // namespace gatepost::auth

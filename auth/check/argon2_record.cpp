#include "auth/check/argon2_record.h"

#include <array>
#include <charconv>
#include <cstdint>

#include <argon2.h>
#include <openssl/rand.h>

#include "auth/check/joined.h"

namespace gatepost::auth {
namespace {

// OWASP's second choice: 19 MiB, two passes, one lane: 16 ms here (facts.md 2).
constexpr std::uint32_t kMemoryKib = 19456;
constexpr std::uint32_t kPasses = 2;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHashSize = 32;

constexpr std::uint32_t kMaxMemoryKib = 256 * 1024;
constexpr std::uint32_t kMaxPasses = 64;
constexpr std::uint32_t kMaxLanes = 16;
constexpr std::uint64_t kMaxWork =
    std::uint64_t{4} * 1024 * 1024;  // KiB written in all passes: a few seconds
constexpr std::size_t kMaxTextSize = 512;

// Takes "m=19456" off `text`, and a following comma.
bool take(ByteView& text, char name, std::uint32_t& value) {
    if (text.size() < 3 || text[0] != name || text[1] != '=') return false;
    text.remove_prefix(2);
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    if (text.starts_with(',')) text.remove_prefix(1);
    return true;
}

std::unexpected<Error> bad(std::string_view what) {
    return fail("{ARGON2ID}: " + std::string(what) + "; expected $argon2id$v=19$m=…,t=…,p=…$salt$hash");
}

bool is_base64_part(ByteView part, std::size_t least) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return part.size() >= least && part.find_first_not_of(kAlphabet) == ByteView::npos;
}

}  // namespace

Result<Argon2Record> Argon2Record::parse(ByteView body) {
    if (body.size() > kMaxTextSize) return bad("too long");
    Argon2Record record;
    record.is_id = body.starts_with("$argon2id$");
    if (!record.is_id && !body.starts_with("$argon2i$")) return bad("another kind of hash");
    record.encoded = Secret(body);
    ByteView rest = body.substr(body.find('$', 1) + 1);
    if (!rest.starts_with("v=19$")) return bad("version is not 19");
    rest.remove_prefix(5);
    const std::size_t end = rest.find('$');
    if (end == ByteView::npos) return bad("parts are missing");
    ByteView cost = rest.substr(0, end);
    record.cost = cost;
    std::uint32_t memory = 0;
    std::uint32_t passes = 0;
    std::uint32_t lanes = 0;
    if (!take(cost, 'm', memory) || !take(cost, 't', passes) || !take(cost, 'p', lanes) || !cost.empty()) {
        return bad("cost is not m=…,t=…,p=…");
    }
    if (lanes < 1 || lanes > kMaxLanes || passes < 1 || passes > kMaxPasses || memory < 8 * lanes ||
        memory > kMaxMemoryKib || std::uint64_t{memory} * passes > kMaxWork) {
        return bad(
            "cost is out of bounds (memory to 262144 KiB, 64 passes, 16 lanes, 4 GiB over all passes)");
    }
    rest.remove_prefix(end + 1);
    const std::size_t dollar = rest.find('$');
    if (dollar == ByteView::npos || !is_base64_part(rest.substr(0, dollar), 11) ||
        !is_base64_part(rest.substr(dollar + 1), 16)) {
        return bad("salt or hash is cut short or not base64");
    }
    return record;
}

Result<Argon2Record> Argon2Record::make(ByteView password) {
    std::array<unsigned char, kSaltSize> salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1)
        return fail("no random numbers for a salt");
    std::array<char, kMaxTextSize> encoded{};
    const int status =
        argon2id_hash_encoded(kPasses, kMemoryKib, 1, password.data(), password.size(), salt.data(),
                              salt.size(), kHashSize, encoded.data(), encoded.size());
    if (status != ARGON2_OK) return fail(std::string("argon2: ") + argon2_error_message(status));
    Result<Argon2Record> record = parse(encoded.data());
    wipe(encoded.data(), encoded.size());
    return record;
}

bool Argon2Record::matches(ByteView password) const {
    const Secret terminated = joined({encoded.reveal(), ByteView("", 1)});
    const auto verify = is_id ? argon2id_verify : argon2i_verify;
    return verify(terminated.reveal().data(), password.data(), password.size()) == ARGON2_OK;
}

Secret Argon2Record::text() const {
    return joined({is_id ? "{ARGON2ID}" : "{ARGON2I}", encoded.reveal()});
}

std::string Argon2Record::describe() const {
    return (is_id ? "{ARGON2ID} " : "{ARGON2I} ") + cost;
}

}  // namespace gatepost::auth

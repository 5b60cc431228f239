#include "auth/check/record.h"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>

#include "auth/check/joined.h"
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

struct SchemeRow {
    Scheme scheme;
    std::string_view name;
    std::string_view also;
    std::string_view crypt_prefix;  // "" = not crypt(3)'s
};

constexpr std::array<SchemeRow, 9> kSchemes{{
    {Scheme::kScramSha256, "SCRAM-SHA-256", "SCRAM", ""},
    {Scheme::kScramSha1, "SCRAM-SHA-1", "SCRAM-SHA1", ""},
    {Scheme::kScramSha512, "SCRAM-SHA-512", "SCRAM-SHA512", ""},
    {Scheme::kArgon2id, "ARGON2ID", "ARGON2", ""},
    {Scheme::kYescrypt, "YESCRYPT", "CRYPT", "$y$"},
    {Scheme::kBcrypt, "BLF-CRYPT", "BCRYPT", "$2b$"},
    {Scheme::kSha512Crypt, "SHA512-CRYPT", "SHA-512", "$6$"},
    {Scheme::kSha256Crypt, "SHA256-CRYPT", "SHA-256", "$5$"},
    {Scheme::kPlain, "PLAIN", "CLEAR", ""},
}};

std::string upper(ByteView text) {
    std::string upper(text);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return upper;
}

const SchemeRow& row_of(Scheme scheme) {
    return *std::ranges::find(kSchemes, scheme, &SchemeRow::scheme);
}

template <typename Part, typename Kind>
Result<Kind> as_kind(Result<Part> part) {
    if (!part) return std::unexpected(part.error());
    return Kind(std::move(*part));
}

}  // namespace

std::string_view to_string(Scheme scheme) {
    return row_of(scheme).name;
}

Result<Scheme> parse_scheme(std::string_view name) {
    if (name.starts_with('{') && name.ends_with('}')) name = name.substr(1, name.size() - 2);
    const std::string wanted = upper(name);
    for (const SchemeRow& row : kSchemes) {
        if (wanted == row.name || wanted == row.also) return row.scheme;
    }
    std::string names;
    for (const SchemeRow& row : kSchemes) names += (names.empty() ? "" : ", ") + std::string(row.name);
    return fail("no scheme \"" + printable(name, 64) + "\"; there are " + names);
}

Result<Record> Record::parse(ByteView text) {
    if (text.empty()) return fail("the record is empty: a user needs a password record");
    const auto whole = [](Result<Kind> kind) -> Result<Record> {
        if (!kind) return std::unexpected(kind.error());
        return Record(std::move(*kind));
    };
    if (text.starts_with("$argon2")) return whole(as_kind<Argon2Record, Kind>(Argon2Record::parse(text)));
    if (text.starts_with('$')) return whole(as_kind<CryptRecord, Kind>(CryptRecord::parse("", text)));
    constexpr std::size_t kLongestScheme = 32;
    const std::size_t end = text.substr(0, kLongestScheme + 2).find('}');
    if (!text.starts_with('{') || end == ByteView::npos) {
        return fail("the record begins with neither {SCHEME} nor $: make one with `gatepost hash`");
    }
    const std::string scheme = upper(text.substr(1, end - 1));
    const ByteView body = text.substr(end + 1);
    if (const std::optional<ScramHash> hash = scram_hash_of(scheme); hash && to_string(*hash) == scheme)
        return whole(as_kind<ScramRecord, Kind>(ScramRecord::parse(*hash, body)));
    if (scheme == "ARGON2ID" || scheme == "ARGON2I") {
        if (!body.starts_with(scheme == "ARGON2I" ? "$argon2i$" : "$argon2id$")) {
            return fail("{" + scheme + "}: the hash is of another kind");
        }
        return whole(as_kind<Argon2Record, Kind>(Argon2Record::parse(body)));
    }
    if (scheme == "PLAIN") {
        if (!is_acceptable_password(body))
            return fail("{PLAIN}: a password has 1 to 1024 octets and no control characters");
        return Record(Plain{Secret(body)});
    }
    for (const std::string_view known :
         {"CRYPT", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT"}) {
        if (scheme == known) return whole(as_kind<CryptRecord, Kind>(CryptRecord::parse(scheme, body)));
    }
    return fail("scheme {" + printable(scheme) + "} is not known: make a new record with `gatepost hash`");
}

Result<Record> Record::make(Scheme scheme, ByteView password) {
    if (!is_acceptable_password(password))
        return fail("a password has 1 to 1024 octets and no control characters");
    const auto whole = [](Result<Kind> kind) -> Result<Record> {
        if (!kind) return std::unexpected(kind.error());
        return Record(std::move(*kind));
    };
    switch (scheme) {
        case Scheme::kScramSha256:
        case Scheme::kScramSha1:
        case Scheme::kScramSha512:
            return whole(
                as_kind<ScramRecord, Kind>(ScramRecord::make(*scram_hash_of(row_of(scheme).name), password)));
        case Scheme::kArgon2id: return whole(as_kind<Argon2Record, Kind>(Argon2Record::make(password)));
        case Scheme::kPlain: return Record(Plain{Secret(password)});
        case Scheme::kYescrypt:
        case Scheme::kBcrypt:
        case Scheme::kSha512Crypt:
        case Scheme::kSha256Crypt:
            return whole(
                as_kind<CryptRecord, Kind>(CryptRecord::make(row_of(scheme).crypt_prefix, password)));
    }
    return fail("no such scheme");
}

bool Record::matches(ByteView password) const {
    return std::visit(
        [password]<typename Part>(const Part& part) {
            if constexpr (std::is_same_v<Part, Plain>) {
                return equal_in_constant_time(part.password.reveal(), password);
            } else {
                return part.matches(password);
            }
        },
        kind_);
}

Secret Record::text() const {
    return std::visit(
        []<typename Part>(const Part& part) {
            if constexpr (std::is_same_v<Part, Plain>) {
                return joined({"{PLAIN}", part.password.reveal()});
            } else {
                return part.text();
            }
        },
        kind_);
}

std::string Record::describe() const {
    return std::visit(
        []<typename Part>(const Part& part) {
            if constexpr (std::is_same_v<Part, Plain>) {
                return std::string("{PLAIN}");
            } else {
                return part.describe();
            }
        },
        kind_);
}

bool Record::serves(std::string_view mechanism) const {
    if (mechanism == "PLAIN" || mechanism == "LOGIN" || mechanism == "EXTERNAL") return true;
    // Whoever asks elsewhere needs no record: it may only say that its user is disabled.
    const Mechanism* const known = find_mechanism(mechanism);
    if (known != nullptr && known->asks_elsewhere) return true;
    if (mechanism == "CRAM-MD5" || mechanism == "DIGEST-MD5" || mechanism == "NTLM")
        return plain() != nullptr;
    const std::optional<ScramHash> hash = scram_hash_of(mechanism);
    // From a password keys can be made at any time.
    return hash && (plain() != nullptr || (scram() != nullptr && scram()->hash == *hash));
}

}  // namespace gatepost::auth

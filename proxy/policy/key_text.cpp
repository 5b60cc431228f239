#include "proxy/policy/key_text.h"

#include <array>
#include <charconv>
#include <cstdint>

#include "proxy/base/printable.h"

namespace gatepost::policy {
namespace {

constexpr std::size_t kLongestName = 64;

/// FNV-1a. That names with the same hash can be made does no harm: their owner gains what guessing at the
/// other name would give anyway, and replicas agree on it without a secret.
std::uint64_t hash_of(ByteView name) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char octet : name) {
        hash ^= static_cast<std::uint8_t>(octet);
        hash *= 0x100000001b3;
    }
    return hash;
}

/// Controls above ASCII, and what turns the direction of writing: operators see keys in their terminals.
bool has_unseen(ByteView utf8) {
    for (std::size_t i = 0; i + 1 < utf8.size(); ++i) {
        const auto first = static_cast<unsigned char>(utf8[i]);
        const auto second = static_cast<unsigned char>(utf8[i + 1]);
        if (first == 0xC2 && second < 0xA0) return true;                       // U+0080..U+009F
        if (first == 0xE2 && (second == 0x80 || second == 0x81)) return true;  // U+2000..U+207F
    }
    return false;
}

}  // namespace

std::string caseless(ByteView name) {
    std::string lowered(name);
    for (char& octet : lowered) {
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<char>(octet - 'A' + 'a');
    }
    return lowered;
}

std::string key_text(ByteView name) {
    const bool is_plain = name.size() <= kLongestName && !name.starts_with('#') && is_utf8(name) &&
                          !has_controls(name) && !has_unseen(name);
    if (is_plain) return std::string(name);
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), hash_of(name), 16).ptr;
    return "#" + std::string(digits.data(), end);
}

}  // namespace gatepost::policy

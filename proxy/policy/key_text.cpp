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

/// Operators see keys in their terminals.
bool is_readable(ByteView name) {
    while (!name.empty()) {
        const std::size_t length = utf8_length(name);
        if (length == 0 || is_unseen(name.substr(0, length))) return false;
        name.remove_prefix(length);
    }
    return true;
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
    const bool is_plain = name.size() <= kLongestName && !name.starts_with('#') && is_readable(name);
    if (is_plain) return std::string(name);
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), hash_of(name), 16).ptr;
    return "#" + std::string(digits.data(), end);
}

}  // namespace gatepost::policy

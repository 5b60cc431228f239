#include "auth/dialogue/mechanisms.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace gatepost::auth {
namespace {

constexpr int kGssMessages = 10;

constexpr std::array<Mechanism, 14> kMechanisms{{
    {.name = "PLAIN", .is_plaintext = true, .client_messages = 1, .client_first = true},
    {.name = "LOGIN", .is_plaintext = true, .client_messages = 2},
    {.name = "SCRAM-SHA-1", .client_messages = 3, .client_first = true, .proof_size = 20},
    {.name = "SCRAM-SHA-1-PLUS",
     .client_messages = 3,
     .client_first = true,
     .needs_binding = true,
     .proof_size = 20},
    {.name = "SCRAM-SHA-256", .client_messages = 3, .client_first = true, .proof_size = 32},
    {.name = "SCRAM-SHA-256-PLUS",
     .client_messages = 3,
     .client_first = true,
     .needs_binding = true,
     .proof_size = 32},
    {.name = "SCRAM-SHA-512", .client_messages = 3, .client_first = true, .proof_size = 64},
    {.name = "SCRAM-SHA-512-PLUS",
     .client_messages = 3,
     .client_first = true,
     .needs_binding = true,
     .proof_size = 64},
    {.name = "CRAM-MD5", .client_messages = 1, .server_first = true},
    {.name = "DIGEST-MD5", .client_messages = 2, .server_first = true},
    {.name = "EXTERNAL", .client_messages = 1, .client_first = true},
    {.name = "GSSAPI", .client_messages = kGssMessages, .client_first = true, .asks_elsewhere = true},
    {.name = "GSS-SPNEGO", .client_messages = kGssMessages, .client_first = true, .asks_elsewhere = true},
    {.name = "NTLM", .client_messages = 2, .client_first = true},
}};

constexpr std::size_t kMaxMechanismSize = 20;  // RFC 4422 section 3.1

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool is_mechanism_char(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

ByteView without_outer_blanks(ByteView text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

}  // namespace

std::span<const Mechanism> known_mechanisms() {
    return kMechanisms;
}

const Mechanism* find_mechanism(std::string_view name) {
    const auto* const found = std::ranges::find(kMechanisms, name, &Mechanism::name);
    return found == kMechanisms.end() ? nullptr : found;
}

bool is_plaintext(std::string_view name) {
    const Mechanism* const mechanism = find_mechanism(name);
    return mechanism == nullptr || mechanism->is_plaintext;
}

std::optional<AuthArguments> parse_auth_arguments(ByteView arguments) {
    arguments = without_outer_blanks(arguments);
    const std::size_t blank = arguments.find(' ');
    const ByteView name = arguments.substr(0, blank);
    if (name.empty() || name.size() > kMaxMechanismSize) return std::nullopt;
    if (!std::ranges::all_of(name, is_mechanism_char)) return std::nullopt;

    AuthArguments parsed;
    parsed.mechanism.resize(name.size());
    std::ranges::transform(name, parsed.mechanism.begin(), upper);
    if (blank != ByteView::npos) {
        const ByteView rest = arguments.substr(blank + 1);
        if (rest.empty() || rest.find_first_of(" \t") != ByteView::npos) return std::nullopt;
        parsed.initial = rest;
    }
    return parsed;
}

}  // namespace gatepost::auth

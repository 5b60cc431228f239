#include "proxy/base/base64.h"

#include <array>
#include <cstdint>

namespace gatepost {
namespace {

constexpr ByteView kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kInvalid = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kInvalid);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::uint32_t octet(char c) {
    return static_cast<unsigned char>(c);
}

}  // namespace

std::string base64_encode(ByteView octets) {
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t left = octets.size() - i;
        const std::uint32_t group = octet(octets[i]) << 16 | (left > 1 ? octet(octets[i + 1]) << 8 : 0) |
                                    (left > 2 ? octet(octets[i + 2]) : 0);
        text += kAlphabet[group >> 18 & 63];
        text += kAlphabet[group >> 12 & 63];
        text += left > 1 ? kAlphabet[group >> 6 & 63] : '=';
        text += left > 2 ? kAlphabet[group & 63] : '=';
    }
    return text;
}

std::optional<Secret> base64_decode(ByteView text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.empty()) return Secret();
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    const std::size_t digits = text.size() - padding;

    std::string octets;
    octets.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    int held = 0;
    bool valid = true;
    for (std::size_t i = 0; i < digits; ++i) {
        const std::uint8_t value = kValues[static_cast<unsigned char>(text[i])];
        valid = valid && value != kInvalid;
        bits = bits << 6 | (value & 63U);
        held += 6;
        if (held >= 8) {
            held -= 8;
            octets += static_cast<char>(bits >> held & 0xFF);
        }
    }
    valid = valid && (bits & ((1U << held) - 1U)) == 0;
    Secret secret(octets);
    wipe(octets.data(), octets.size());
    if (!valid) return std::nullopt;
    return secret;
}

}  // namespace gatepost

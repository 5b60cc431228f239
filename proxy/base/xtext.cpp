#include "proxy/base/xtext.h"

namespace gatepost {
namespace {

constexpr ByteView kHex = "0123456789ABCDEF";

bool is_plain(char c) {
    return c >= '!' && c <= '~' && c != '+' && c != '=';
}

}  // namespace

std::string xtext_encode(ByteView octets) {
    std::string text;
    text.reserve(octets.size());
    for (const char c : octets) {
        if (is_plain(c)) {
            text += c;
            continue;
        }
        const auto value = static_cast<unsigned char>(c);
        text += '+';
        text += kHex[value >> 4];
        text += kHex[value & 15];
    }
    return text;
}

std::optional<std::string> xtext_decode(ByteView text) {
    std::string octets;
    octets.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_plain(text[i])) {
            octets += text[i];
            continue;
        }
        if (text[i] != '+' || text.size() - i < 3) return std::nullopt;
        const std::size_t high = kHex.find(text[i + 1]);
        const std::size_t low = kHex.find(text[i + 2]);
        if (high == ByteView::npos || low == ByteView::npos) return std::nullopt;
        octets += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return octets;
}

}  // namespace gatepost

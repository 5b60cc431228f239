#include "proxy/base/printable.h"

#include <algorithm>
#include <cstdint>

namespace gatepost {
namespace {

constexpr ByteView kHex = "0123456789abcdef";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

}  // namespace

std::size_t utf8_length(ByteView octets) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
    const auto is_tail = [&](std::size_t i) { return i < octets.size() && (at(i) & 0xC0) == 0x80; };
    const std::uint8_t first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!is_tail(1) || !is_tail(2)) return 0;
        if (first == 0xE0 && at(1) < 0xA0) return 0;
        if (first == 0xED && at(1) > 0x9F) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
        if (first == 0xF0 && at(1) < 0x90) return 0;
        if (first == 0xF4 && at(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

std::string printable(ByteView octets, std::size_t limit) {
    const bool cut = octets.size() > limit;
    octets = octets.substr(0, limit);
    std::string text;
    text.reserve(octets.size());
    while (!octets.empty()) {
        const std::size_t length = utf8_length(octets);
        const char c = octets.front();
        if (length > 0 && !is_unseen(octets.substr(0, length)) && c != '\\' && c != '"') {
            text += octets.substr(0, length);
            octets.remove_prefix(length);
            continue;
        }
        const auto value = static_cast<std::uint8_t>(c);
        text += "\\x";
        text += kHex[value >> 4];
        text += kHex[value & 15];
        octets.remove_prefix(1);
    }
    if (cut) text += "...";
    return text;
}

char32_t code_point(ByteView character) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(character[i]); };
    if (character.size() == 1) return at(0);
    char32_t code = at(0) & (0x7FU >> character.size());
    for (std::size_t i = 1; i < character.size(); ++i) code = code << 6U | (at(i) & 0x3FU);
    return code;
}

bool is_unseen(ByteView character) {
    if (character.size() == 1) return is_control(character.front());
    const char32_t code = code_point(character);
    const auto is_in = [code](char32_t first, char32_t last) { return first <= code && code <= last; };
    return is_in(0x80, 0x9F) || code == 0x61C || is_in(0x2000, 0x200F) || is_in(0x2028, 0x202F) ||
           is_in(0x205F, 0x206F) || code == 0xFEFF;
}

bool is_utf8(ByteView octets) {
    while (!octets.empty()) {
        const std::size_t length = utf8_length(octets);
        if (length == 0) return false;
        octets.remove_prefix(length);
    }
    return true;
}

bool has_controls(ByteView octets) {
    return std::ranges::any_of(octets, is_control);
}

bool is_ascii(ByteView text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace gatepost

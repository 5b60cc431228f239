#include "proxy/observe/log_escape.h"

#include "proxy/base/printable.h"

namespace gatepost::observe {
namespace {

void append_code_point(std::string& out, unsigned code) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += "\\u00";
    out += kHex[code >> 4 & 15];
    out += kHex[code & 15];
}

/// One character that is well-formed UTF-8.
void append_character(std::string& out, ByteView character, std::string_view also) {
    const char c = character.front();
    const auto value = static_cast<unsigned char>(c);
    if (character.size() == 1 && (value < 0x20 || value == 0x7F || also.contains(c)))
        return append_code_point(out, value);
    // C1 controls (U+0080..U+009F) are two octets, and terminals obey them.
    if (character.size() == 2 && c == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0)
        return append_code_point(out, static_cast<unsigned char>(character[1]));
    if (c == '"' || c == '\\') out += '\\';
    out += character;
}

}  // namespace

void append_escaped(std::string& out, ByteView octets, std::size_t limit, std::string_view also) {
    constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
    std::size_t shown = 0;
    while (shown < octets.size()) {
        const std::size_t length = utf8_length(octets.substr(shown));
        const std::size_t next = shown + (length > 0 ? length : 1);
        if (next > limit) {
            out += "...";
            return;
        }
        if (length > 0) {
            append_character(out, octets.substr(shown, length), also);
        } else {
            out += kReplacement;
        }
        shown = next;
    }
}

}  // namespace gatepost::observe

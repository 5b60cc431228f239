#include "proxy/observe/log_escape.h"

#include "proxy/base/printable.h"

namespace gatepost::observe {
namespace {

/// Requires a code of at most U+FFFF, which is all that is_unseen() knows.
void append_code_point(std::string& out, char32_t code) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHex[code >> shift & 15U];
}

/// One character that is well-formed UTF-8.
void append_character(std::string& out, ByteView character, std::string_view also) {
    const char c = character.front();
    if (is_unseen(character) || also.contains(c)) return append_code_point(out, code_point(character));
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

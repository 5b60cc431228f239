#include "auth/dialogue/names.h"

#include <array>

#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

// White space of Unicode that may look like nothing at the end of a name: a name is refused for it, never
// trimmed, because limits, audit and stores must all mean the same user.
constexpr std::array<std::string_view, 21> kBlanks{" ",
                                                   "\xC2\xA0",
                                                   "\xE1\x9A\x80",
                                                   "\xE2\x80\x80",
                                                   "\xE2\x80\x81",
                                                   "\xE2\x80\x82",
                                                   "\xE2\x80\x83",
                                                   "\xE2\x80\x84",
                                                   "\xE2\x80\x85",
                                                   "\xE2\x80\x86",
                                                   "\xE2\x80\x87",
                                                   "\xE2\x80\x88",
                                                   "\xE2\x80\x89",
                                                   "\xE2\x80\x8A",
                                                   "\xE2\x80\x8B",
                                                   "\xE2\x80\xA8",
                                                   "\xE2\x80\xA9",
                                                   "\xE2\x80\xAF",
                                                   "\xE2\x81\x9F",
                                                   "\xE3\x80\x80",
                                                   "\xEF\xBB\xBF"};

bool has_blank_at_an_end(ByteView name) {
    for (const std::string_view blank : kBlanks) {
        if (name.starts_with(blank) || name.ends_with(blank)) return true;
    }
    return false;
}

// U+0080..U+009F in valid UTF-8: controls too, and terminals obey them.
bool has_c1_controls(ByteView text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto next = static_cast<unsigned char>(text[i + 1]);
        if (text[i] == '\xC2' && next >= 0x80 && next <= 0x9F) return true;
    }
    return false;
}

}  // namespace

bool is_acceptable_name(ByteView name) {
    return !name.empty() && name.size() <= kMaxNameSize && is_utf8(name) && !has_controls(name) &&
           !has_c1_controls(name) && !has_blank_at_an_end(name);
}

bool is_acceptable_password(ByteView password) {
    return !password.empty() && password.size() <= kMaxPasswordSize && !has_controls(password);
}

}  // namespace gatepost::auth

#include "proxy/policy/pattern.h"

#include <algorithm>
#include <cstddef>

namespace gatepost::policy {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// From octet `caseless_from` of the text on, case does not matter.
bool matches(ByteView pattern, ByteView text, std::size_t caseless_from) {
    const auto same = [&](std::size_t in_pattern, std::size_t in_text) {
        const char left = pattern[in_pattern];
        const char right = text[in_text];
        return left == right || (in_text >= caseless_from && lower(left) == lower(right));
    };
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = ByteView::npos;  // the last "*" passed, which has taken the text up to `taken`
    std::size_t taken = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.size() && same(p, t)) {
            ++p;
            ++t;
        } else if (star != ByteView::npos) {
            // Only the last "*" need take more: what stood before it matched as early as it can.
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

}  // namespace

bool matches_user(ByteView pattern, ByteView user) {
    return matches(pattern, user, user.rfind('@'));  // npos: no octet is behind it
}

bool matches_local(ByteView pattern, ByteView local_part) {
    return matches(pattern, local_part, ByteView::npos);
}

bool matches_domain(ByteView pattern, ByteView domain) {
    return matches(pattern, domain, 0);
}

}  // namespace gatepost::policy

#include "auth/dialogue/cram_grammar.h"

#include <algorithm>
#include <cstddef>

#include "auth/dialogue/names.h"

namespace gatepost::auth {
namespace {

constexpr std::size_t kDigestSize = 32;

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

// The last blank separates: names may hold others.
MessageCheck CramGrammar::next(ByteView message, Heard& heard) {
    const std::size_t blank = message.rfind(' ');
    if (blank == ByteView::npos) return heard.malformed();
    const ByteView digest = message.substr(blank + 1);
    if (digest.size() != kDigestSize || !std::ranges::all_of(digest, is_hex)) return heard.malformed();
    const ByteView user = message.substr(0, blank);
    if (!is_acceptable_name(user)) return heard.unacceptable();
    heard.user = user;
    heard.needs_record = true;
    return MessageCheck::kGood;
}

}  // namespace gatepost::auth

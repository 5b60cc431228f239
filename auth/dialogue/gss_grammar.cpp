#include "auth/dialogue/gss_grammar.h"

#include <cstdint>
#include <optional>

namespace gatepost::auth {
namespace {

// In DER, with tag and length: 1.2.840.113554.1.2.2 and 1.3.6.1.5.5.2.
constexpr std::string_view kKerberos("\x06\x09\x2A\x86\x48\x86\xF7\x12\x01\x02\x02", 11);
constexpr std::string_view kSpnego("\x06\x06\x2B\x06\x01\x05\x05\x02", 8);

constexpr unsigned char kApplication0 = 0x60;

/// Takes a length in DER off the front of `text`.
std::optional<std::size_t> take_length(ByteView& text) {
    if (text.empty()) return std::nullopt;
    const auto first = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    if (first < 0x80) return first;
    const std::size_t octets = first - 0x80U;
    if (octets == 0 || octets > 4 || octets > text.size()) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | static_cast<unsigned char>(text[i]);
    text.remove_prefix(octets);
    return length;
}

/// RFC 2743 section 3.1: a tag, a length, the mechanism, and what only the mechanism understands.
bool is_initial_token(ByteView message, std::string_view object_id) {
    if (message.empty() || static_cast<unsigned char>(message.front()) != kApplication0) return false;
    message.remove_prefix(1);
    const std::optional<std::size_t> length = take_length(message);
    return length == message.size() && message.size() > object_id.size() && message.starts_with(object_id);
}

}  // namespace

GssGrammar::GssGrammar(std::string_view mechanism)
    : object_id_(mechanism == "GSS-SPNEGO" ? kSpnego : kKerberos) {}

MessageCheck GssGrammar::next(ByteView message, Heard& heard) {
    if (message.size() > kMaxMessageSize) return heard.malformed();
    if (is_first_ && !is_initial_token(message, object_id_)) return heard.malformed();
    is_first_ = false;
    return MessageCheck::kGood;
}

}  // namespace gatepost::auth

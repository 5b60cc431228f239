#include "auth/dialogue/ntlm_grammar.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/dialogue/names.h"

namespace gatepost::auth {
namespace {

constexpr std::string_view kSignature("NTLMSSP\0", 8);
constexpr std::uint32_t kNegotiateType = 1;
constexpr std::uint32_t kAuthenticateType = 3;
constexpr std::size_t kTypeAt = 8;

constexpr std::size_t kFlagsAt = 12;  // of the first message; nobody reads what may follow
constexpr std::size_t kNegotiateSize = 16;
constexpr std::uint32_t kUnicodeFlag = 1;

// The second message's fields: a length, a capacity and an offset each.
constexpr std::size_t kLmResponseAt = 12;
constexpr std::size_t kNtResponseAt = 20;
constexpr std::size_t kDomainAt = 28;
constexpr std::size_t kUserAt = 36;
constexpr std::size_t kWorkstationAt = 44;
constexpr std::size_t kAuthenticateSize = 52;
constexpr std::size_t kMaxMessageSize = 4096;
constexpr std::size_t kResponseSize = 24;  // of the oldest kind; those of version 2 are longer

std::uint32_t number(ByteView message, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(message[at + i]);
    return value;
}

bool is_of_type(ByteView message, std::uint32_t type, std::size_t least_size) {
    return message.size() >= least_size && message.size() <= kMaxMessageSize &&
           message.starts_with(kSignature) && number(message, kTypeAt, 4) == type;
}

/// What a field holds; nothing when it does not lie within the message, behind the fields.
std::optional<ByteView> field(ByteView message, std::size_t at) {
    const std::size_t size = number(message, at, 2);
    const std::size_t begin = number(message, at + 4, 4);
    if (size == 0) return ByteView();
    if (begin < kAuthenticateSize || begin > message.size() || size > message.size() - begin)
        return std::nullopt;
    return message.substr(begin, size);
}

/// UTF-16 or octets to a name. "" for every name that is not ASCII: libsasl would take it for another.
std::string name_of(ByteView text, bool is_unicode) {
    const std::size_t width = is_unicode ? 2 : 1;
    std::string name;
    for (std::size_t i = 0; i + width <= text.size(); i += width) {
        const std::uint32_t unit = number(text, i, width);
        if (unit >= 0x80) return {};
        name += static_cast<char>(unit);
    }
    return name;
}

}  // namespace

MessageCheck NtlmGrammar::next(ByteView message, Heard& heard) {
    switch (state_) {
        case State::kNegotiate: state_ = State::kAuthenticate; return negotiate(message, heard);
        case State::kAuthenticate: state_ = State::kEnd; return authenticate(message, heard);
        case State::kEnd: return heard.malformed();
    }
    return heard.malformed();
}

MessageCheck NtlmGrammar::negotiate(ByteView message, Heard& heard) {
    if (!is_of_type(message, kNegotiateType, kNegotiateSize)) return heard.malformed();
    is_unicode_ = (number(message, kFlagsAt, 4) & kUnicodeFlag) != 0;
    return MessageCheck::kGood;
}

MessageCheck NtlmGrammar::authenticate(ByteView message, Heard& heard) const {
    if (!is_of_type(message, kAuthenticateType, kAuthenticateSize)) return heard.malformed();
    const auto lm_response = field(message, kLmResponseAt);
    const auto nt_response = field(message, kNtResponseAt);
    const auto domain = field(message, kDomainAt);
    const auto user = field(message, kUserAt);
    const auto workstation = field(message, kWorkstationAt);
    if (!lm_response || !nt_response || !domain || !user || !workstation) return heard.malformed();
    if (!lm_response->empty() && lm_response->size() < kResponseSize) return heard.malformed();
    // The LM response alone would do for libsasl: it knows 14 characters of a password, in capitals.
    if (nt_response->size() < kResponseSize) return heard.malformed();
    if (is_unicode_ && (user->size() % 2 != 0 || domain->size() % 2 != 0)) return heard.malformed();
    const std::string name = name_of(*user, is_unicode_);
    if (!is_acceptable_name(name)) return heard.unacceptable();
    heard.user = name;
    heard.needs_record = true;
    return MessageCheck::kGood;
}

}  // namespace gatepost::auth

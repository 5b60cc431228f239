#include "proxy/smtp/path.h"

#include <algorithm>

#include "proxy/base/printable.h"
#include "proxy/smtp/command.h"

namespace gatepost::smtp {
namespace {

bool is_8bit(char c) {
    return static_cast<unsigned char>(c) >= 0x80;
}

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// atext of RFC 5322 and "."; where dots stand is the upstream's business ("a..b@" exists in the field).
bool is_local_octet(char c) {
    return is_alphanumeric(c) || is_8bit(c) || ByteView("!#$%&'*+-/=?^_`{|}~.").find(c) != ByteView::npos;
}

bool is_domain_octet(char c) {
    return is_alphanumeric(c) || is_8bit(c) || c == '-' || c == '.' || c == '_';
}

/// Length of the quoted string at the front of `text`, quotes included; 0 when it does not end or holds a
/// control.
std::size_t quoted_length(ByteView text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (has_controls(text.substr(i, 1))) return 0;
        if (text[i] == '"') return i + 1;
        if (text[i] != '\\') continue;
        if (++i == text.size() || has_controls(text.substr(i, 1))) return 0;
    }
    return 0;
}

std::size_t local_part_length(ByteView text) {
    if (text.starts_with('"')) return quoted_length(text);
    const auto* const end = std::ranges::find_if_not(text, is_local_octet);
    return static_cast<std::size_t>(end - text.begin());
}

/// Length of the domain or address literal at the front of `text`; 0 when there is none.
std::size_t domain_length(ByteView text) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        const bool plain = end != ByteView::npos && std::ranges::all_of(text.substr(1, end - 1), [](char c) {
                               return is_alphanumeric(c) || c == '.' || c == ':' || c == '-';
                           });
        return plain && end > 1 ? end + 1 : 0;
    }
    const auto* const end = std::ranges::find_if_not(text, is_domain_octet);
    return static_cast<std::size_t>(end - text.begin());
}

/// Length of the address at the front of `text`; 0 when there is none.
std::size_t address_length(ByteView text) {
    const std::size_t local = local_part_length(text);
    if (local == 0) return 0;
    if (local == text.size() || text[local] != '@') return local;
    const std::size_t domain = domain_length(text.substr(local + 1));
    return domain == 0 ? 0 : local + 1 + domain;
}

/// "@a,@b:" in front of an address (RFC 5321 appendix C): to be accepted and ignored.
void skip_source_route(ByteView& text) {
    ByteView rest = text;
    while (rest.starts_with('@')) {
        rest.remove_prefix(1);
        const std::size_t domain = domain_length(rest);
        if (domain == 0 || domain == rest.size()) return;
        const char separator = rest[domain];
        rest.remove_prefix(domain + 1);
        if (separator == ':') {
            text = rest;
            return;
        }
        if (separator != ',') return;
    }
}

/// "FROM: SIZE=5" and "FROM: SMTPUTF8" are paths left out, not somebody called so.
bool is_parameter(ByteView word) {
    return (word.find('=') != ByteView::npos && word.find('@') == ByteView::npos) ||
           equal_ignoring_case(word, "SMTPUTF8");
}

std::optional<Path> make_path(ByteView address) {
    if (address.size() > kMaxAddress || !is_utf8(address)) return std::nullopt;
    return Path{address, std::ranges::any_of(address, is_8bit)};
}

}  // namespace

std::optional<Path> take_path(ByteView& rest) {
    ByteView text = rest;
    const bool bracketed = text.starts_with('<');
    bool routed = false;
    if (bracketed) {
        text.remove_prefix(1);
        routed = text.starts_with('@');
        skip_source_route(text);
    }
    const std::size_t length = address_length(text);
    const ByteView address = text.substr(0, length);
    text.remove_prefix(length);
    if (bracketed) {
        // A route that leads to nobody is not the null path.
        if (!text.starts_with('>') || (routed && length == 0)) return std::nullopt;
        text.remove_prefix(1);
    } else if (length == 0 || is_parameter(address)) {
        return std::nullopt;
    }
    if (!text.empty() && text.front() != ' ') return std::nullopt;
    rest = trim(text);
    return make_path(address);
}

bool is_address(ByteView text) {
    return !text.empty() && text.size() <= kMaxAddress && is_utf8(text) &&
           address_length(text) == text.size();
}

bool is_dot_string(ByteView local_part) {
    return !local_part.empty() && std::ranges::all_of(local_part, is_local_octet);
}

}  // namespace gatepost::smtp

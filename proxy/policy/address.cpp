#include "proxy/policy/address.h"

#include <optional>

#include "proxy/policy/domain_name.h"
#include "proxy/policy/pattern.h"
#include "proxy/smtp/path.h"

namespace gatepost::policy {
namespace {

struct Parts {
    std::string local;
    ByteView domain;
    bool has_domain = false;
    bool is_quoted = false;
};

/// A quoted string with a domain behind it, or with nothing; nothing for anything else.
std::optional<Parts> quoted(ByteView text) {
    if (!text.starts_with('"')) return std::nullopt;
    Parts parts{.local = {}, .domain = {}, .is_quoted = true};
    std::size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
        parts.local += text[i];
    }
    if (i >= text.size()) return std::nullopt;
    const ByteView behind = text.substr(i + 1);
    if (behind.empty()) return parts;
    if (!behind.starts_with('@') || behind.rfind('@') != 0) return std::nullopt;
    parts.domain = behind.substr(1);
    parts.has_domain = true;
    return parts;
}

Parts take_apart(ByteView text) {
    if (std::optional<Parts> parts = quoted(text)) return std::move(*parts);
    const std::size_t at = text.rfind('@');
    if (at == ByteView::npos) return {.local = std::string(text), .domain = {}};
    return {.local = std::string(text.substr(0, at)), .domain = text.substr(at + 1), .has_domain = true};
}

std::string in_quotes(ByteView local) {
    std::string made = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\') made += '\\';
        made += c;
    }
    return made + '"';
}

}  // namespace

Address Address::of(ByteView text) {
    Parts parts = take_apart(text);
    Address made{.local = std::move(parts.local),
                 .domain = domain_in_ascii(parts.domain),
                 .unicode_domain = {},
                 .has_domain = parts.has_domain};
    if (has_unicode_form(made.domain)) made.unicode_domain = domain_in_unicode(made.domain);
    return made;
}

std::string Address::text() const {
    std::string made = smtp::is_dot_string(local) ? local : in_quotes(local);
    if (has_domain) made += '@' + domain;
    return made;
}

AddressPattern::AddressPattern(ByteView text) {
    Parts parts = take_apart(text);
    has_domain_ = parts.has_domain;
    local_ = std::move(parts.local);
    if (local_.empty() && has_domain_ && !parts.is_quoted) local_ = "*";
    domain_ = domain_in_ascii(parts.domain);
    unicode_domain_ = domain_in_unicode(parts.domain);
}

bool AddressPattern::matches(const Address& address) const {
    const bool has_other_form = !address.unicode_domain.empty();
    if (!has_domain_) {
        return matches_whole(address.local, address.domain, address.has_domain) ||
               (has_other_form && matches_whole(address.local, address.unicode_domain, true));
    }
    return address.has_domain && matches_domain_of(address) && matches_local(local_, address.local);
}

bool AddressPattern::matches_domain_of(const Address& address) const {
    if (matches_domain(domain_, address.domain)) return true;
    // A label with "*" in it has no A-label: it is compared with the other form.
    return !address.unicode_domain.empty() && matches_domain(unicode_domain_, address.unicode_domain);
}

bool AddressPattern::matches_whole(const std::string& local, ByteView domain, bool has_domain) const {
    if (!has_domain) return matches_local(local_, local);
    std::string whole = local + '@';
    whole += domain;
    return matches_user(local_, whole);
}

}  // namespace gatepost::policy

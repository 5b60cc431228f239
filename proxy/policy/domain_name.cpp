#include "proxy/policy/domain_name.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>

#include <idna.h>

#include "proxy/base/printable.h"

namespace gatepost::policy {
namespace {

constexpr ByteView kAcePrefix = "xn--";
constexpr std::size_t kLongestLabel = 255;  ///< octets; an A-label has 63, and an U-label never more than 252

/// "." and what RFC 3490 section 3.1 takes for it.
constexpr std::array<ByteView, 4> kDots{".", "\xE3\x80\x82", "\xEF\xBC\x8E", "\xEF\xBD\xA1"};

/// IDNA 2003 maps these to others or to nothing, IDNA 2008 keeps them: the same name would be two domains
/// (RFC 5894 section 7.2).
constexpr std::array<ByteView, 5> kDeviations{"\xC3\x9F", "\xE1\xBA\x9E", "\xCF\x82", "\xE2\x80\x8C",
                                              "\xE2\x80\x8D"};

/// Two Arabic ligatures that stand for whole sentences: with blanks in them, so in no name of a host, and a
/// domain of 80 of them keeps libidn busy for milliseconds.
constexpr std::array<ByteView, 2> kSentences{"\xEF\xB7\xBA", "\xEF\xB7\xBB"};

struct Free {
    void operator()(char* text) const { std::free(text); }  // as libidn allocates it
};
using Converted = std::unique_ptr<char, Free>;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string in_lower_case(ByteView text) {
    std::string made(text);
    std::ranges::transform(made, made.begin(), lower);
    return made;
}

bool is_of_host_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '*';
}

/// Length of the dot at the front of `text`, 0 where there is none.
std::size_t dot_length(ByteView text) {
    for (const ByteView dot : kDots) {
        if (text.starts_with(dot)) return dot.size();
    }
    return 0;
}

bool is_convertible(ByteView label) {
    const auto is_in_label = [&](ByteView character) { return label.contains(character); };
    return label.size() <= kLongestLabel && !label.contains('\0') && is_utf8(label) &&
           std::ranges::none_of(kDeviations, is_in_label) && std::ranges::none_of(kSentences, is_in_label);
}

/// Of a label that is not ASCII. Nothing where the outcome is no part of a host name: a fullwidth "@" becomes
/// "@", for one.
std::optional<std::string> to_ascii(ByteView label) {
    if (!is_convertible(label)) return std::nullopt;
    char* out = nullptr;
    if (idna_to_ascii_8z(std::string(label).c_str(), &out, IDNA_ALLOW_UNASSIGNED) != IDNA_SUCCESS)
        return std::nullopt;
    const Converted owned(out);
    std::string made = in_lower_case(out);
    if (!std::ranges::all_of(made, is_of_host_name)) return std::nullopt;
    return made;
}

std::string ascii_label(ByteView label) {
    if (is_ascii(label) || label.contains('*')) return in_lower_case(label);
    return to_ascii(label).value_or(in_lower_case(label));
}

std::string unicode_label(ByteView label) {
    // By way of the A-label, which is where upper case and variants of letters are mapped.
    std::string ascii =
        is_ascii(label) ? in_lower_case(label) : to_ascii(label).value_or(in_lower_case(label));
    if (!ascii.starts_with(kAcePrefix) || !is_convertible(ascii)) return ascii;
    char* out = nullptr;
    if (idna_to_unicode_8z8z(ascii.c_str(), &out, IDNA_ALLOW_UNASSIGNED) != IDNA_SUCCESS) return ascii;
    const Converted owned(out);
    return out;
}

template <typename Convert>
std::string label_by_label(ByteView domain, Convert convert) {
    if (domain.starts_with('[')) return in_lower_case(domain);
    std::string made;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= domain.size();) {
        const std::size_t dot = dot_length(domain.substr(i));
        if (i < domain.size() && dot == 0) {
            ++i;
            continue;
        }
        made += convert(domain.substr(begin, i - begin));
        if (i == domain.size()) break;
        made += '.';
        begin = i += dot;
    }
    made.erase(made.find_last_not_of('.') + 1);
    return made;
}

}  // namespace

std::string domain_in_ascii(ByteView domain) {
    return label_by_label(domain, ascii_label);
}

std::string domain_in_unicode(ByteView domain) {
    return label_by_label(domain, unicode_label);
}

bool has_unicode_form(ByteView domain) {
    return domain.contains(kAcePrefix) || !is_ascii(domain);
}

}  // namespace gatepost::policy

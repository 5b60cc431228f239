// Each type's reading and each type's sentence.
#include "conf/canonical.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>
#include <vector>

#include "conf/units.h"
#include "proxy/base/printable.h"

namespace gatepost::conf {
namespace {

std::vector<std::string_view> split_words(std::string_view words) {
    std::vector<std::string_view> result;
    while (!words.empty()) {
        const auto bar = words.find('|');
        result.push_back(words.substr(0, bar));
        if (bar == std::string_view::npos) break;
        words.remove_prefix(bar + 1);
    }
    return result;
}

std::string enumerate(std::string_view words) {
    const auto all = split_words(words);
    std::string result;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i != 0) result += i + 1 == all.size() ? " or " : ", ";
        result += all[i];
    }
    return result;
}

bool is_within(const Key& key, std::uint64_t amount) {
    return amount >= static_cast<std::uint64_t>(key.min) && amount <= static_cast<std::uint64_t>(key.max);
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char octet) {
        return std::isalnum(static_cast<unsigned char>(octet)) != 0 || octet == '-' || octet == '_';
    });
}

bool is_hostname(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']') && text.size() > 2) {
        std::string_view inside = text.substr(1, text.size() - 2);
        if (inside.starts_with("IPv6:")) inside.remove_prefix(5);
        return is_numeric_host(inside);
    }
    return is_domain(text);
}

bool is_url(std::string_view text) {
    constexpr std::string_view kSchemes[] = {"redis://", "rediss://", "unix://", "redis-sentinel://",
                                             "rediss-sentinel://"};
    return std::ranges::any_of(kSchemes, [text](std::string_view scheme) {
        return text.starts_with(scheme) && text.size() > scheme.size() &&
               text.find(' ') == std::string_view::npos;
    });
}

std::string bounds_of(const Key& key) {
    const bool is_unbounded = key.max == std::numeric_limits<std::int64_t>::max();
    const auto show = [&key](std::int64_t amount) {
        if (key.type == Type::Duration || key.type == Type::DurationOrOff)
            return to_text(Milliseconds(amount));
        if (key.type == Type::Size) return size_to_text(static_cast<std::uint64_t>(amount));
        return std::to_string(amount);
    };
    if (is_unbounded) return key.min == 0 ? "" : ", at least " + show(key.min);
    return ", from " + show(key.min) + " to " + show(key.max);
}

std::optional<std::string> read_quantity(const Key& key, std::string_view text) {
    switch (key.type) {
        case Type::Duration:
        case Type::DurationOrOff:
            if (const auto duration = parse_duration(text);
                duration && is_within(key, static_cast<std::uint64_t>(duration->count()))) {
                return to_text(*duration);
            }
            return std::nullopt;
        case Type::Size:
            if (const auto size = parse_size(text); size && is_within(key, *size)) return size_to_text(*size);
            return std::nullopt;
        case Type::Amount:
            if (const auto size = parse_size(text); size && is_within(key, *size))
                return std::to_string(*size);
            return std::nullopt;
        case Type::RateOrOff:
            if (const auto rate = parse_rate(text)) return to_text(*rate);
            return std::nullopt;
        case Type::Rate:
        case Type::RateMap:
            if (const auto rate = parse_rate_or_count(text)) return to_text(*rate);
            return std::nullopt;
        default:
            if (const auto count = parse_count(text); count && is_within(key, *count))
                return std::to_string(*count);
            return std::nullopt;
    }
}

std::optional<std::string> read_address(const Key& key, std::string_view text) {
    if (key.type == Type::Networks) {
        const auto network = parse_network(text);
        return network ? std::optional(network->text) : std::nullopt;
    }
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return std::nullopt;
    const bool is_every = endpoint->host == kEveryAddress;
    const bool listens = is_every || (!endpoint->is_unix() && is_numeric_host(endpoint->host));
    const bool is_right = key.type == Type::Servers ? !is_every : listens;
    return is_right ? std::optional(endpoint->text) : std::nullopt;
}

std::optional<std::string> read_word(const Key& key, std::string_view text) {
    std::string word(text);
    if (key.type == Type::Words) {
        std::ranges::transform(word, word.begin(), [](unsigned char octet) { return std::toupper(octet); });
    }
    return is_one_of(key.words_list, word) ? std::optional(word) : std::nullopt;
}

std::optional<std::string> read(const Key& key, std::string_view text) {
    const auto itself = [text](bool is_right) {
        return is_right ? std::optional<std::string>(text) : std::nullopt;
    };
    switch (key.type) {
        case Type::Text:
        case Type::Path:
        case Type::TextMap: return itself(true);
        case Type::Texts: return itself(!text.empty());
        case Type::Secret:
        case Type::SecretFile:
        case Type::File: return itself(!key.is_required || !text.empty());
        case Type::Name:
        case Type::Names: return itself(is_name(text));
        case Type::Hostname: return itself(text.empty() || is_hostname(text));
        case Type::Url: return itself((text.empty() && !key.is_required) || is_url(text));
        case Type::Bool: return itself(text == "true" || text == "false");
        case Type::Word:
        case Type::Words: return read_word(key, text);
        case Type::AutoCount: return text == "auto" ? itself(true) : read_quantity(key, text);
        case Type::DurationOrOff:
        case Type::RateOrOff: return text == "off" ? itself(true) : read_quantity(key, text);
        case Type::Count:
        case Type::Duration:
        case Type::Size:
        case Type::Amount:
        case Type::Rate:
        case Type::RateMap: return read_quantity(key, text);
        case Type::AddressOrOff:
            return text.empty() || text == "off" ? std::optional<std::string>("") : read_address(key, text);
        case Type::ListenAddress:
        case Type::Networks:
        case Type::Servers: return read_address(key, text);
        case Type::Section:
        case Type::List:
        case Type::Named: return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

std::string expectation(const Key& key) {
    switch (key.type) {
        case Type::Section:
        case Type::Named: return "a map (key: value)";
        case Type::List: return "a list of maps (- key: value)";
        case Type::Text:
        case Type::Texts:
        case Type::Secret: return key.type == Type::Texts ? "text that is not empty" : "text";
        case Type::Name:
        case Type::Names: return "a name of letters, digits, - and _ (at most 64)";
        case Type::Hostname: return "a domain name or an address in brackets";
        case Type::File:
        case Type::SecretFile: return "the path of a file";
        case Type::Path: return "a path";
        case Type::Url:
            return "a URL that begins with redis://, rediss://, unix://, redis-sentinel:// or "
                   "rediss-sentinel://";
        case Type::Word: return enumerate(key.words_list);
        case Type::Words: return "the name of a SASL mechanism, such as PLAIN";
        case Type::Count: return "a whole number" + bounds_of(key);
        case Type::AutoCount: return "auto or a whole number" + bounds_of(key);
        case Type::Duration: return "a duration such as 250ms, 30s, 5m, 1h or 1d" + bounds_of(key);
        case Type::DurationOrOff:
            return "off or a duration such as 250ms, 30s, 5m, 1h or 1d" + bounds_of(key);
        case Type::Size: return "a size such as 64KiB or 50MiB, or a number of octets" + bounds_of(key);
        case Type::Amount: return "a whole number or, of bytes, a size such as 10MiB" + bounds_of(key);
        case Type::Rate:
        case Type::RateMap: return "a rate such as 100/1h";
        case Type::RateOrOff: return "off or a rate such as 100/1h";
        case Type::Bool: return "true or false";
        case Type::ListenAddress:
            return "a numeric address or *, and a port, such as \"*:587\", \"0.0.0.0:587\" or \"[::]:587\"";
        case Type::AddressOrOff:
            return "\"\" or a numeric address or *, and a port, such as \"127.0.0.1:9587\" or \"*:9587\"";
        case Type::Networks: return "an address or network, such as 192.0.2.0/24 or 2001:db8::/32";
        case Type::Servers: return "host:port, [v6]:port or unix:/path";
        case Type::TextMap: return "text";
    }
    return "";
}

Result<std::string> canonical(const Key& key, std::string_view text) {
    if (has_controls(text))
        return fail("expected " + expectation(key) + ", found a line end or another control character");
    if (auto value = read(key, text)) return std::move(*value);
    std::string message = "expected " + expectation(key);
    if (!key.is_secret()) {
        message += text.empty() ? ", found nothing" : ", found \"" + printable(text, 80) + "\"";
        // Numbers that are near each other were not meant for each other.
        const bool is_word = !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
        const auto meant = is_word ? nearest(text, split_words(key.words_list)) : std::nullopt;
        if (meant) message += "; did you mean " + std::string(*meant) + "?";
    }
    return fail(std::move(message));
}

bool is_built(const Key& key, std::string_view canonical_text) {
    if (key.unbuilt.empty()) return true;
    if (key.unbuilt != "*") return !is_one_of(key.unbuilt, canonical_text);
    if (canonical_text.empty() || canonical_text == "off" || canonical_text == "0s" ||
        (key.type == Type::Count && canonical_text == "0"))
        return true;
    if (is_value_list(key.type) || key.type == Type::List) return false;
    const auto initial = read(key, key.initial);
    return initial && *initial == canonical_text;
}

std::string masked(const Key& key, const std::string& whole) {
    if (key.type == Type::Secret) return whole.empty() ? "" : std::string(kRedacted);
    if (key.type != Type::Url) return whole;
    // A query may hold a password under any name.
    const auto query = whole.find('?');
    std::string text =
        query == std::string::npos ? whole : whole.substr(0, query + 1) + std::string(kRedacted);
    const auto at = text.rfind('@');
    const auto scheme_end = text.find("://");
    if (at == std::string::npos || scheme_end == std::string::npos || at < scheme_end) return text;
    const auto colon = text.find(':', scheme_end + 3);
    const auto from = colon < at ? colon + 1 : scheme_end + 3;
    return text.substr(0, from) + std::string(kRedacted) + text.substr(at);
}

std::string masked_option(std::string_view name, const std::string& text) {
    // A value may name a password as well as an option's name does: "host=x password=y".
    std::string lower = std::string(name) + ' ' + text;
    std::ranges::transform(lower, lower.begin(), [](unsigned char octet) { return std::tolower(octet); });
    const auto holds = [&lower](std::string_view part) { return lower.find(part) != std::string::npos; };
    return holds("pass") || holds("pw") || holds("secret") ? std::string(kRedacted) : text;
}

bool is_value_list(Type type) {
    return type == Type::Words || type == Type::Names || type == Type::Texts || type == Type::Networks ||
           type == Type::Servers;
}

}  // namespace gatepost::conf

// Reading and writing quantities and addresses.
#include "conf/units.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <numeric>
#include <utility>

namespace gatepost::conf {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t worth;
};

constexpr std::array kDurations = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                   Unit{"s", 1000}, Unit{"ms", 1}};
constexpr std::array kBinarySizes = {Unit{"TiB", 1ULL << 40}, Unit{"GiB", 1ULL << 30},
                                     Unit{"MiB", 1ULL << 20}, Unit{"KiB", 1ULL << 10}};
constexpr std::array kDecimalSizes = {Unit{"TB", 1'000'000'000'000}, Unit{"GB", 1'000'000'000},
                                      Unit{"MB", 1'000'000}, Unit{"KB", 1000}, Unit{"kB", 1000}};

// The number in front and what follows it; nothing when there is no number or it does not fit.
std::optional<std::pair<std::uint64_t, std::string_view>> leading_number(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop == text.data()) return std::nullopt;
    return std::pair{number, std::string_view(stop, static_cast<std::size_t>(end - stop))};
}

// Everything is kept below 2^63, so that it fits the signed types of std::chrono and of the bounds.
template <std::size_t Count>
std::optional<std::uint64_t> times_unit(std::uint64_t number, std::string_view name,
                                        const std::array<Unit, Count>& units) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    for (const Unit& unit : units) {
        if (unit.name == name)
            return number > kMost / unit.worth ? std::nullopt : std::optional(number * unit.worth);
    }
    return std::nullopt;
}

template <std::size_t Count>
std::string in_largest_unit(std::uint64_t amount, const std::array<Unit, Count>& units,
                            std::string_view bare) {
    for (const Unit& unit : units) {
        if (amount != 0 && amount % unit.worth == 0)
            return std::to_string(amount / unit.worth).append(unit.name);
    }
    return std::to_string(amount).append(bare);
}

std::optional<std::array<std::uint8_t, 16>> mapped_address(const std::string& text, bool& is_ipv4) {
    std::array<std::uint8_t, 16> octets{};
    if (inet_pton(AF_INET, text.c_str(), octets.data() + 12) == 1) {
        is_ipv4 = true;
        octets[10] = octets[11] = 0xff;
        return octets;
    }
    is_ipv4 = false;
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
    return std::nullopt;
}

bool is_mapped(const std::array<std::uint8_t, 16>& address) {
    return std::all_of(address.begin(), address.begin() + 10,
                       [](std::uint8_t octet) { return octet == 0; }) &&
           address[10] == 0xff && address[11] == 0xff;
}

std::string address_to_text(const std::array<std::uint8_t, 16>& octets, bool is_ipv4) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* const from = is_ipv4 ? octets.data() + 12 : octets.data();
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, from, text.data(), text.size());
    return text.data();
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
        }
    }
    return row.back();
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
    const auto number = leading_number(text);
    if (!number || !number->second.empty()) return std::nullopt;
    return number->first;
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
    const auto number = leading_number(text);
    if (!number) return std::nullopt;
    const auto amount = times_unit(number->first, number->second, kDurations);
    if (!amount) return std::nullopt;
    return Milliseconds(static_cast<std::int64_t>(*amount));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto number = leading_number(text);
    if (!number) return std::nullopt;
    if (number->second.empty()) return number->first;
    if (const auto binary = times_unit(number->first, number->second, kBinarySizes)) return binary;
    return times_unit(number->first, number->second, kDecimalSizes);
}

std::optional<Rate> parse_rate(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto count = parse_size(text.substr(0, slash));
    const auto per = parse_duration(text.substr(slash + 1));
    if (!count || !per || *count == 0 || per->count() == 0) return std::nullopt;
    return Rate{*count, *per};
}

std::optional<Rate> parse_rate_or_count(std::string_view text) {
    if (text.find('/') != std::string_view::npos) return parse_rate(text);
    const auto count = parse_size(text);
    if (!count || *count == 0) return std::nullopt;
    return Rate{*count, Milliseconds::zero()};
}

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    bool is_ipv4 = false;
    const auto address = mapped_address(std::string(text.substr(0, slash)), is_ipv4);
    if (!address) return std::nullopt;
    const unsigned most = is_ipv4 ? 32 : 128;
    std::uint64_t prefix = most;
    if (slash != std::string_view::npos) {
        const auto written = parse_count(text.substr(slash + 1));
        if (!written || *written > most) return std::nullopt;
        prefix = *written;
    }
    // "::ffff:0:0/96" and what is in it are IPv4, however they are written.
    if (!is_ipv4 && prefix >= 96 && is_mapped(*address)) {
        is_ipv4 = true;
        prefix -= 96;
    }
    Network network{*address, static_cast<unsigned>(prefix) + (is_ipv4 ? 96U : 0U), {}};
    for (unsigned bit = network.prefix; bit < 128; ++bit) {
        network.address[bit / 8] =
            static_cast<std::uint8_t>(network.address[bit / 8] & ~(0x80U >> (bit % 8)));
    }
    network.text = address_to_text(network.address, is_ipv4) + "/" + std::to_string(prefix);
    return network;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    constexpr std::string_view kUnix = "unix:";
    if (text.starts_with(kUnix)) {
        const std::string_view path = text.substr(kUnix.size());
        constexpr std::size_t kLongest = 107;  // sun_path with its NUL
        if (!path.starts_with('/') || path.size() > kLongest) return std::nullopt;
        return Endpoint{{}, 0, std::string(path), std::string(text)};
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_count(text.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    bool is_ipv4 = false;
    std::string canonical;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        const auto address = mapped_address(std::string(host), is_ipv4);
        if (!address || is_ipv4) return std::nullopt;
        canonical = "[" + address_to_text(*address, false) + "]";
    } else {
        if (host != kEveryAddress && !is_domain(host)) return std::nullopt;
        canonical = host;
    }
    Endpoint endpoint{std::string(host), static_cast<std::uint16_t>(*port), {}, {}};
    endpoint.text = canonical + ":" + std::to_string(*port);
    return endpoint;
}

bool is_numeric_host(std::string_view host) {
    bool is_ipv4 = false;
    return mapped_address(std::string(host), is_ipv4).has_value();
}

bool is_domain(std::string_view text) {
    if (text.empty() || text.size() > 255) return false;
    std::size_t label = 0;
    for (const char octet : text) {
        const auto value = static_cast<unsigned char>(octet);
        if (octet == '.') {
            if (label == 0) return false;
            label = 0;
        } else if (std::isalnum(value) != 0 || octet == '-' || octet == '_') {
            if (++label > 63) return false;
        } else {
            return false;
        }
    }
    return true;
}

std::string to_text(Milliseconds duration) {
    if (duration.count() == 0) return "0s";
    return in_largest_unit(static_cast<std::uint64_t>(duration.count()), kDurations, "ms");
}

std::string size_to_text(std::uint64_t octets) {
    return in_largest_unit(octets, kBinarySizes, "");
}

std::string to_text(const Rate& rate) {
    if (!rate.has_time()) return std::to_string(rate.count);
    return std::to_string(rate.count) + "/" + to_text(rate.per);
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> elements;
    if (text.size() <= 2) return elements;
    text = text.substr(1, text.size() - 2);
    while (true) {
        const auto comma = text.find(", ");
        elements.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return elements;
        text.remove_prefix(comma + 2);
    }
}

std::optional<std::string_view> nearest(std::string_view word, const std::vector<std::string_view>& words) {
    constexpr std::size_t kLongest = 64;
    if (word.size() > kLongest) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = 1 + std::max<std::size_t>(1, word.size() / 3);
    for (const std::string_view candidate : words) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace gatepost::conf

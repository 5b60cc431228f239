// The words an operator writes for quantities and addresses, both ways: durations, sizes, rates, networks,
// endpoints. Knows no key and no file. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace gatepost::conf {

/// Digits only, no sign, no blank; nothing when it does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text);

/// 250ms 30s 5m 1h 1d: one whole number and one unit.
[[nodiscard]] std::optional<Milliseconds> parse_duration(std::string_view text);

/// 64KiB 50MiB 1GiB 1TiB (binary), 1KB 1MB 1GB 1TB (decimal), or octets without a unit.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// 100/1h; the count may be a size. Neither part may be zero.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);

/// The same, or a number alone that is not zero: then `per` is zero.
[[nodiscard]] std::optional<Rate> parse_rate_or_count(std::string_view text);

/// 192.0.2.0/24, 2001:db8::/32, or one address. Bits behind the prefix are cleared.
[[nodiscard]] std::optional<Network> parse_network(std::string_view text);

/// host:port, [v6]:port, *:port or unix:/path; ports 1 to 65535. An IPv6 address needs its brackets.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

/// True when `host` of an endpoint is a numeric address.
[[nodiscard]] bool is_numeric_host(std::string_view host);

/// A domain name: labels of letters, digits, "-" and "_", at most 255 octets in all.
[[nodiscard]] bool is_domain(std::string_view text);

/// In the largest unit that keeps it whole.
[[nodiscard]] std::string to_text(Milliseconds duration);
[[nodiscard]] std::string size_to_text(std::uint64_t octets);
[[nodiscard]] std::string to_text(const Rate& rate);

/// "[a, b]" of the table of keys as its elements.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

/// The `words` ("a|b|c") nearest to `word`, when one is near enough to have been meant.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      const std::vector<std::string_view>& words);

}  // namespace gatepost::conf

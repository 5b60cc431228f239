// One value against its row in the table of keys: is it of the type, within the bounds, built yet. Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "conf/keys.h"
#include "proxy/base/result.h"

namespace gatepost::conf {

/// The canonical text of `text` as a value of `key`; of list types, of one element. The error says what was
/// expected and what was found (never of a secret).
[[nodiscard]] Result<std::string> canonical(const Key& key, std::string_view text);

/// What a value of `key` looks like: "a duration such as 30s, from 10ms to 1d".
[[nodiscard]] std::string expectation(const Key& key);

/// False for a canonical value that names what this version cannot do; of list types, one element.
[[nodiscard]] bool is_built(const Key& key, std::string_view canonical_text);

/// How `path` may be shown: `text` itself, or with the secret in it masked.
[[nodiscard]] std::string masked(const Key& key, const std::string& text);

/// The same for an entry of a map of free options, which may be anybody's password.
[[nodiscard]] std::string masked_option(std::string_view name, const std::string& text);

/// Types that are written as a list of values.
[[nodiscard]] bool is_value_list(Type type);

inline constexpr std::string_view kRedacted = "(redacted)";

}  // namespace gatepost::conf

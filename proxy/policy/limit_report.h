// What an operator is told of the counts of one key: whose they are, how much is used, what is refused now
// and how long. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/policy/guessing.h"
#include "proxy/policy/limit_store.h"
#include "proxy/policy/limits.h"

namespace gatepost::policy {

/// The rule that counts under a key: one of `limits:`, or one against guessing.
struct KeyOwner {
    std::string rule;     ///< its name
    std::string counted;  ///< what
    std::string action;   ///< what a client meets that is refused
    Rate rate;
    bool is_enforced = true;
    bool is_at_a_time = false;  ///< of `rate` only the burst counts: sessions
};

/// `user_class` picks the rate: "" = the rule's own. Nothing: no rule counts under `key`.
[[nodiscard]] std::optional<KeyOwner> owner_of(ByteView key, const Limits& limits, const Guessing& guessing,
                                               ByteView user_class = {});

struct KeyState {
    std::uint64_t used = 0;
    std::optional<Duration> refused_for;  ///< one more would be; zero = until one of those there has left
    Duration worn_off_in{};
    bool operator==(const KeyState&) const = default;
};

/// Of a user whose class has a larger rate than `owner` says, at most what that one remembers is told as
/// used.
[[nodiscard]] KeyState state_of(const KeyOwner& owner, const LimitEntry& entry);

/// Why `rule` does not look at `subject`: the first condition that fails. "": it does, as Limits::value_for()
/// says.
[[nodiscard]] std::string why_not(const LimitRule& rule, const LimitSubject& subject);

/// "500/1h", "5 at a time".
[[nodiscard]] std::string rate_text(const KeyOwner& owner);

/// "90 s", "12 min", "3 h", "2 d"; rounded up.
[[nodiscard]] std::string duration_text(Duration duration);

}  // namespace gatepost::policy

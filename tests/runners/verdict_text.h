// The verdict that a "verdict" line of a transcript tells of.
#pragma once

#include <optional>
#include <string>

#include "auth/dialogue/verdict.h"

namespace gatepost::test {

/// "challenge TEXT", "accepted USER", "rejected", "disabled", "malformed", "unavailable", "unavailable guess"
/// or "busy"; nothing for other texts.
inline std::optional<auth::Verdict> verdict_of(const std::string& text, const std::string& mechanism) {
    using auth::Outcome;
    using auth::Reason;
    const std::size_t blank = text.find(' ');
    const std::string rest = blank == std::string::npos ? "" : text.substr(blank + 1);
    if (text.starts_with("challenge")) return auth::Verdict{Outcome::kChallenge, Reason::kNone, rest, {}};
    if (text.starts_with("accepted ")) {
        return auth::Verdict{Outcome::kAccepted,
                             Reason::kNone,
                             {},
                             {.user = rest, .mechanism = mechanism, .backend = "local"}};
    }
    if (text == "rejected") return auth::Verdict{Outcome::kRejected, Reason::kWrongPassword, {}, {}};
    if (text == "disabled") return auth::Verdict{Outcome::kRejected, Reason::kDisabled, {}, {}};
    if (text == "malformed") return auth::Verdict{Outcome::kMalformed, Reason::kBadMessage, {}, {}};
    if (text == "unavailable") return auth::Verdict{Outcome::kUnavailable, Reason::kStoreFailed, {}, {}};
    if (text == "unavailable guess")
        return auth::Verdict{Outcome::kUnavailable, Reason::kStoreFailed, {}, {}, true};
    if (text == "busy") return auth::Verdict{Outcome::kBusy, Reason::kQueueFull, {}, {}};
    return std::nullopt;
}

}  // namespace gatepost::test

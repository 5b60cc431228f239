#include "proxy/policy/guessing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/policy/key_text.h"

namespace gatepost::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

/// Guesses that ran side by side were all let in before the first of them failed. They are remembered far
/// beyond the limit, or whoever guesses on a hundred connections would get a hundred for each one that wears
/// off.
constexpr std::uint64_t kDebtOfBurst = 7;

/// Failures of a user over all networks: one wears off each 30 s, and after eight quiet minutes all have.
constexpr Rate kUserFailures{.count = 20, .per = minutes{10}, .burst = 16, .debt = 0};
/// So many are typing errors or one device with an old password; then the delay begins, and doubles.
constexpr std::uint64_t kUndelayedFailures = 3;
constexpr milliseconds kFirstDelay{250};

/// As key_of() begins them.
constexpr std::array kKeyBegins =
    std::to_array<std::pair<ByteView, GuessingRule>>({{"guess:ip:", GuessingRule::kIp},
                                                      {"guess:net:", GuessingRule::kNetwork},
                                                      {"guess:user-net:", GuessingRule::kUserAndNetwork},
                                                      {"guess:user:", GuessingRule::kUser}});

Rate failures(const GuessingSettings::Failures& limit) {
    const std::uint64_t count = std::min(limit.count, Rate::kMost / kDebtOfBurst);
    return {.count = count, .per = limit.per, .burst = count, .debt = count * kDebtOfBurst};
}

std::uint64_t used_of(const LimitAnswer& answer) {
    if (const auto* allow = std::get_if<Allow>(&answer)) return allow->used;
    if (const auto* refused = std::get_if<Refused>(&answer)) return refused->used;
    return 0;
}

}  // namespace

ByteView name_of(GuessingRule rule) {
    switch (rule) {
        case GuessingRule::kIp: return "per_ip";
        case GuessingRule::kNetwork: return "per_network";
        case GuessingRule::kUserAndNetwork: return "per_user_and_network";
        case GuessingRule::kUser: return "per_user_delay";
    }
    return "";
}

std::vector<LimitQuestion> Guessing::questions_before(const PeerAddress& address, ByteView user) const {
    return ask(address, user, Counting::kPeek);
}

std::vector<LimitQuestion> Guessing::charges_after_failure(const PeerAddress& address, ByteView user) const {
    return ask(address, user, Counting::kRecord);
}

GuessingVerdict Guessing::verdict(const PeerAddress& address, ByteView user,
                                  std::span<const LimitAnswer> answers) const {
    const std::vector<GuessingRule> rules = rules_for(address, user);
    if (answers.size() != rules.size()) return CannotTell{};
    std::optional<RefuseGuess> refuse;
    bool unavailable = false;
    GoOn go_on;
    for (std::size_t at = 0; at < rules.size(); ++at) {
        unavailable |= std::holds_alternative<Unavailable>(answers[at]);
        if (rules[at] == GuessingRule::kUser) {
            go_on.delay = delay_for(used_of(answers[at]));  // whatever the answer: a user is never locked out
            continue;
        }
        const auto* refused = std::get_if<Refused>(&answers[at]);
        if (refused == nullptr) continue;
        if (!refuse || refused->retry_after > refuse->retry_after) {
            refuse = RefuseGuess{.rule = rules[at], .retry_after = refused->retry_after};
        }
    }
    if (refuse) {
        refuse->key = key_of(refuse->rule, address, user).text;
        return *refuse;
    }
    if (unavailable) return CannotTell{};
    return go_on;
}

std::vector<GuessingRule> Guessing::rules_for(const PeerAddress& address, ByteView user) const {
    std::vector<GuessingRule> rules;
    rules.reserve(4);
    // All who come over a unix socket look alike: as one address they would lock each other out.
    if (address.is_ip() && settings_.per_ip) rules.push_back(GuessingRule::kIp);
    if (address.is_ip() && settings_.per_network) rules.push_back(GuessingRule::kNetwork);
    if (user.empty()) return rules;
    if (settings_.per_user_and_network) rules.push_back(GuessingRule::kUserAndNetwork);
    if (settings_.per_user_delay) rules.push_back(GuessingRule::kUser);
    return rules;
}

std::vector<LimitQuestion> Guessing::ask(const PeerAddress& address, ByteView user, Counting counting) const {
    std::vector<LimitQuestion> questions;
    const std::vector<GuessingRule> rules = rules_for(address, user);
    questions.reserve(rules.size());
    for (const GuessingRule rule : rules) {
        questions.push_back({key_of(rule, address, user), rate_of(rule), counting, 1});
    }
    return questions;
}

LimitKey Guessing::key_of(GuessingRule rule, const PeerAddress& address, ByteView user) const {
    switch (rule) {
        case GuessingRule::kIp: return {"guess:ip:" + address.text()};
        case GuessingRule::kNetwork: return {"guess:net:" + network_text(address)};
        case GuessingRule::kUserAndNetwork:
            return {"guess:user-net:" + network_text(address) + "=" + key_text(caseless(user))};
        case GuessingRule::kUser: return {"guess:user:=" + key_text(caseless(user))};
    }
    return {};
}

Rate Guessing::rate_of(GuessingRule rule) const {
    switch (rule) {
        case GuessingRule::kIp: return failures(*settings_.per_ip);
        case GuessingRule::kNetwork: return failures(*settings_.per_network);
        case GuessingRule::kUserAndNetwork: return failures(*settings_.per_user_and_network);
        case GuessingRule::kUser: return kUserFailures;
    }
    return {};
}

bool Guessing::is_on(GuessingRule rule) const {
    switch (rule) {
        case GuessingRule::kIp: return settings_.per_ip.has_value();
        case GuessingRule::kNetwork: return settings_.per_network.has_value();
        case GuessingRule::kUserAndNetwork: return settings_.per_user_and_network.has_value();
        case GuessingRule::kUser: return settings_.per_user_delay.has_value();
    }
    return false;
}

std::optional<Guessing::KeyOwner> Guessing::owner_of(ByteView key) const {
    for (const auto& [begin, rule] : kKeyBegins) {
        if (!key.starts_with(begin)) continue;
        if (!is_on(rule)) return std::nullopt;
        return KeyOwner{rule, rate_of(rule)};
    }
    return std::nullopt;
}

std::string Guessing::network_text(const PeerAddress& address) const {
    if (!address.is_ip()) return address.text();
    const unsigned bits = address.is_ipv4() ? settings_.ipv4_prefix : settings_.ipv6_prefix;
    return address.network(bits).text() + "/" + std::to_string(bits);
}

Duration Guessing::delay_for(std::uint64_t failures) const {
    const Duration longest = settings_.per_user_delay.value_or(Duration{0});
    if (failures <= kUndelayedFailures) return Duration{0};
    Duration delay = kFirstDelay;
    for (std::uint64_t more = kUndelayedFailures + 1; more < failures && delay < longest; ++more) delay *= 2;
    return std::min(delay, longest);
}

}  // namespace gatepost::policy

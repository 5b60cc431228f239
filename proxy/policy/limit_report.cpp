#include "proxy/policy/limit_report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "proxy/policy/pattern.h"

namespace gatepost::policy {
namespace {

constexpr ByteView kLimitKey = "limit:";

const LimitRule* rule_named(const Limits& limits, ByteView name) {
    for (std::uint32_t number = 0; number < limits.size(); ++number) {
        if (limits.rule(number).name == name) return &limits.rule(number);
    }
    return nullptr;
}

KeyOwner owner_from(const LimitRule& rule, ByteView user_class) {
    return {.rule = rule.name,
            .counted = std::string(name_of(rule.counted)),
            .action = std::string(name_of(rule.action)),
            .rate = Limits::rate_for(rule, user_class),
            .is_enforced = rule.is_enforced,
            .is_at_a_time = rule.counted == Counted::kSessions};
}

}  // namespace

std::optional<KeyOwner> owner_of(ByteView key, const Limits& limits, const Guessing& guessing,
                                 ByteView user_class) {
    if (const auto guess = guessing.owner_of(key)) {
        const bool delays = guess->rule == GuessingRule::kUser;
        return KeyOwner{.rule = "auth.guessing." + std::string(name_of(guess->rule)),
                        .counted = "auth_failures",
                        .action = delays ? "delay" : "defer",
                        .rate = guess->rate};
    }
    if (!key.starts_with(kLimitKey)) return std::nullopt;
    const ByteView rest = key.substr(kLimitKey.size());
    const std::size_t colon = rest.find(':');
    const LimitRule* const rule = rule_named(limits, rest.substr(0, colon));
    if (rule == nullptr) return std::nullopt;
    const ByteView value = colon == ByteView::npos ? ByteView() : rest.substr(colon + 1);
    if (!value.starts_with('=')) return owner_from(*rule, user_class);
    return owner_from(*rule, value.substr(1, value.find(':') - 1));
}

KeyState state_of(const KeyOwner& owner, const LimitEntry& entry) {
    KeyState told{.used = entry.there_now, .refused_for = {}, .worn_off_in = entry.empty_after};
    if (owner.is_at_a_time) {
        if (entry.there_now >= owner.rate.burst) told.refused_for = Duration::zero();
        return told;
    }
    GcraState state{.empty_at = std::chrono::nanoseconds(entry.empty_after).count(), .part = 0};
    const GcraAnswer one_more = gcra_peek(state, owner.rate, 1, 0);
    told.used = one_more.used;
    if (!one_more.allowed) told.refused_for = one_more.retry_after;
    return told;
}

std::string why_not(const LimitRule& rule, const LimitSubject& subject) {
    const LimitConditions& when = rule.when;
    if (!when.listener.empty() && when.listener != subject.listener)
        return "only on listener " + when.listener;
    if (!when.user.empty() && subject.user.empty())
        return "only for users like " + when.user + ", nobody logs in";
    if (!when.user.empty() && !matches_user(when.user, subject.user))
        return "only for users like " + when.user;
    if (!when.user_class.empty() && when.user_class != subject.user_class)
        return "only for limit class " + when.user_class +
               (subject.user_class.empty() ? ", the user has none"
                                           : ", the user's is " + std::string(subject.user_class));
    if (when.authenticated && *when.authenticated != subject.is_authenticated)
        return *when.authenticated ? "only after AUTH" : "only without AUTH";
    if (when.trusted && *when.trusted != subject.is_trusted)
        return *when.trusted ? "only in trusted networks" : "only outside trusted networks";
    if (Limits::value_for(rule, subject)) return "";
    return "it counts per " + std::string(name_of(rule.scope)) + ", and there is none";
}

std::string rate_text(const KeyOwner& owner) {
    if (owner.is_at_a_time) return std::to_string(owner.rate.burst) + " at a time";
    using std::chrono::milliseconds;
    const auto per = std::chrono::duration_cast<milliseconds>(owner.rate.per).count();
    constexpr auto kUnits = std::to_array<std::pair<std::int64_t, const char*>>(
        {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}});
    for (const auto& [length, unit] : kUnits) {
        if (per > 0 && per % length == 0)
            return std::to_string(owner.rate.count) + "/" + std::to_string(per / length) + unit;
    }
    return std::to_string(owner.rate.count) + "/" + std::to_string(per) + "ms";
}

std::string duration_text(Duration duration) {
    const auto whole = std::chrono::ceil<std::chrono::seconds>(duration).count();
    constexpr auto kUnits =
        std::to_array<std::pair<std::int64_t, const char*>>({{86'400, " d"}, {3600, " h"}, {60, " min"}});
    for (const auto& [length, unit] : kUnits) {
        if (whole >= 2 * length) return std::to_string((whole + length - 1) / length) + unit;
    }
    return std::to_string(whole) + " s";
}

}  // namespace gatepost::policy

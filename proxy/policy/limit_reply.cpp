#include "proxy/policy/limit_reply.h"

#include <algorithm>
#include <string>

namespace gatepost::policy {
namespace {

struct Codes {
    int code;
    const char* enhanced;
};

Codes codes_of(LimitReplyTo to, LimitAction action) {
    if (action == LimitAction::kClose) return {421, "4.7.0"};
    const bool is_for_good = action == LimitAction::kReject;
    switch (to) {
        case LimitReplyTo::kGreeting: return is_for_good ? Codes{554, "5.7.1"} : Codes{421, "4.7.0"};
        case LimitReplyTo::kAuth: return is_for_good ? Codes{550, "5.7.1"} : Codes{454, "4.7.0"};
        case LimitReplyTo::kTransaction: break;
    }
    return is_for_good ? Codes{550, "5.7.1"} : Codes{451, "4.7.1"};
}

/// Rounded up, so that who comes back then finds room.
std::string seconds(Duration time) {
    const auto whole = std::chrono::ceil<std::chrono::seconds>(time).count();
    return std::to_string(std::max<std::int64_t>(whole, 1)) + " s";
}

smtp::Reply reply(const Codes& codes, const std::string& text) {
    return {.code = codes.code, .text = std::string(codes.enhanced) + ' ' + text, .is_own = true};
}

}  // namespace

smtp::Reply limit_reply(LimitReplyTo to, const LimitRule& rule, const LimitRefusal& refusal) {
    const std::string name = "Rate limit \"" + rule.name + '"';
    const Codes codes = codes_of(to, refusal.action);
    if (rule.counted == Counted::kSessions)
        return reply(codes, name + ": too many sessions at a time, try again later");
    if (refusal.retry_after != Duration::max())
        return reply(codes, name + ": try again in " + seconds(refusal.retry_after));
    // A temporary reply would have the client try for days what can never be.
    const Codes never = rule.counted == Counted::kBytes ? Codes{552, "5.3.4"} : Codes{550, "5.7.1"};
    return reply(refusal.action == LimitAction::kClose ? codes : never, name + " never allows so much");
}

smtp::Reply limit_unknown_reply(LimitReplyTo to) {
    const std::string text = "Rate limits cannot be checked, try again later";
    switch (to) {
        case LimitReplyTo::kGreeting: return reply({421, "4.3.0"}, text);
        case LimitReplyTo::kAuth: return reply({454, "4.7.0"}, text);
        case LimitReplyTo::kTransaction: break;
    }
    return reply({451, "4.3.0"}, text);
}

}  // namespace gatepost::policy

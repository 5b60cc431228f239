#include "proxy/policy/limits.h"

#include <algorithm>
#include <utility>

#include "proxy/policy/address.h"
#include "proxy/policy/key_text.h"
#include "proxy/policy/pattern.h"
#include "proxy/policy/senders.h"

namespace gatepost::policy {
namespace {

/// When there is room for one more session nobody can say; it is worth asking again after this.
constexpr std::chrono::seconds kSessionRetry{1};

bool holds(const LimitConditions& when, const LimitSubject& subject) {
    if (!when.listener.empty() && when.listener != subject.listener) return false;
    if (!when.user.empty() && (subject.user.empty() || !matches_user(when.user, subject.user))) return false;
    if (!when.user_class.empty() && when.user_class != subject.user_class) return false;
    if (when.authenticated && *when.authenticated != subject.is_authenticated) return false;
    return !when.trusted || *when.trusted == subject.is_trusted;
}

std::optional<std::string> named(ByteView name) {
    if (name.empty()) return std::nullopt;
    return key_text(name);
}

/// Who names none must not go uncounted: the null sender, and all addresses without a domain, are one each.
std::optional<std::string> domain_of(ByteView address) {
    if (address.empty()) return "<>";
    const Address read = Address::of(address);
    return read.has_domain && !read.domain.empty() ? named(read.domain) : "(none)";
}

std::string network_of(const LimitRule& rule, const PeerAddress& peer) {
    const unsigned bits = peer.is_ipv4() ? rule.ipv4_prefix : rule.ipv6_prefix;
    return peer.network(bits).text() + "/" + std::to_string(bits);
}

Counting counting_of(Counted counted) {
    if (counted == Counted::kSessions) return Counting::kEnter;
    return counted == Counted::kAuthFailures ? Counting::kPeek : Counting::kCharge;
}

bool is_heavier(const LimitRefusal& one, const LimitRefusal& other) {
    return std::pair(one.action, one.retry_after) > std::pair(other.action, other.retry_after);
}

}  // namespace

bool LimitRule::needs_user() const {
    const bool has_condition =
        !when.user.empty() || !when.user_class.empty() || when.authenticated.value_or(false);
    return scope == LimitScope::kUser || has_condition || !classes.empty();
}

Limits::Limits(std::vector<LimitRule> rules) : rules_(std::move(rules)), by_moment_(kLimitMoments) {
    for (std::uint32_t i = 0; i < rules_.size(); ++i)
        by_moment_[static_cast<std::size_t>(moment_of(rules_[i]))].push_back(i);
}

LimitMoment Limits::moment_of(const LimitRule& rule) {
    switch (rule.counted) {
        case Counted::kConnections: return LimitMoment::kConnect;
        case Counted::kSessions: return rule.needs_user() ? LimitMoment::kLogin : LimitMoment::kConnect;
        case Counted::kAuthAttempts:
        case Counted::kAuthFailures: return rule.needs_user() ? LimitMoment::kAuthUser : LimitMoment::kAuth;
        case Counted::kRecipients: return LimitMoment::kRecipient;
        case Counted::kMessages:
        case Counted::kBytes: break;
    }
    return rule.scope == LimitScope::kRecipientDomain ? LimitMoment::kRecipient : LimitMoment::kMail;
}

bool Limits::has(LimitMoment moment) const {
    return !by_moment_[static_cast<std::size_t>(moment)].empty();
}

/// A class with a rate of its own has a bucket of its own, or its rate would wear off what others have used.
/// A user has one class. No other value begins with "=".
std::optional<std::string> Limits::value_for(const LimitRule& rule, const LimitSubject& subject) {
    std::optional<std::string> value = scope_value(rule, subject);
    const bool is_shared = rule.scope != LimitScope::kUser;
    if (value && is_shared && rule.classes.contains(subject.user_class))
        value->insert(0, "=" + key_text(subject.user_class) + ":");
    return value;
}

std::optional<std::string> Limits::scope_value(const LimitRule& rule, const LimitSubject& subject) {
    if (!holds(rule.when, subject)) return std::nullopt;
    switch (rule.scope) {
        // All who come over a unix socket look alike: as one address they would limit each other.
        case LimitScope::kIp: return subject.peer.is_ip() ? named(subject.peer.text()) : std::nullopt;
        case LimitScope::kNetwork:
            return subject.peer.is_ip() ? named(network_of(rule, subject.peer)) : std::nullopt;
        case LimitScope::kUser: return named(caseless(subject.user));
        case LimitScope::kSender:
            return named(subject.sender.empty() ? ByteView("<>")
                                                : ByteView(canonical_address(subject.sender)));
        case LimitScope::kSenderDomain: return domain_of(subject.sender);
        case LimitScope::kRecipientDomain: return domain_of(subject.recipient);
        case LimitScope::kListener: return named(subject.listener);
        case LimitScope::kUpstream: return named(subject.upstream);
        case LimitScope::kAll: return "all";
    }
    return std::nullopt;
}

const Rate& Limits::rate_for(const LimitRule& rule, ByteView user_class) {
    const auto of_class = rule.classes.find(user_class);
    return of_class == rule.classes.end() ? rule.rate : of_class->second;
}

LimitKey Limits::key_of(const LimitRule& rule, ByteView value) {
    std::string key;
    key.reserve(7 + rule.name.size() + value.size());
    key.append("limit:").append(rule.name).append(":").append(value);
    return {std::move(key)};
}

LimitBatch Limits::questions(LimitMoment moment, const LimitSubject& subject) const {
    LimitBatch batch;
    for (const std::uint32_t number : by_moment_[static_cast<std::size_t>(moment)]) {
        const LimitRule& rule = rules_[number];
        const std::optional<std::string> value = value_for(rule, subject);
        if (!value) continue;
        batch.rules.push_back(number);
        batch.questions.push_back(
            {.key = key_of(rule, *value),
             .rate = rate_for(rule, subject.user_class),
             .counting = counting_of(rule.counted),
             .events = rule.counted == Counted::kBytes ? std::max<std::uint64_t>(subject.bytes, 1) : 1,
             .is_binding = rule.is_enforced});
    }
    return batch;
}

std::vector<LimitQuestion> Limits::records(Counted counted, const LimitSubject& subject) const {
    std::vector<LimitQuestion> questions;
    for (const LimitRule& rule : rules_) {
        if (rule.counted != counted) continue;
        if (const std::optional<std::string> value = value_for(rule, subject)) {
            questions.push_back({.key = key_of(rule, *value),
                                 .rate = rate_for(rule, subject.user_class),
                                 .counting = Counting::kRecord});
        }
    }
    return questions;
}

LimitVerdict Limits::verdict(std::span<const std::uint32_t> rules,
                             std::span<const LimitAnswer> answers) const {
    if (answers.size() != rules.size()) return LimitUnknown{};
    std::optional<LimitRefusal> heaviest;
    bool is_unknown = false;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const LimitRule& rule = rules_[rules[i]];
        if (!rule.is_enforced) continue;
        is_unknown = is_unknown || std::holds_alternative<Unavailable>(answers[i]);
        const auto* const refused = std::get_if<Refused>(&answers[i]);
        if (refused == nullptr) continue;
        const Duration retry =
            rule.counted == Counted::kSessions ? Duration(kSessionRetry) : refused->retry_after;
        const LimitRefusal refusal{.rule = rules[i], .action = rule.action, .retry_after = retry};
        if (!heaviest || is_heavier(refusal, *heaviest)) heaviest = refusal;
    }
    if (heaviest) return *heaviest;
    if (is_unknown) return LimitUnknown{};
    return LimitAllowed{};
}

std::optional<LimitQuestion> undo_of(const LimitQuestion& question, const LimitAnswer& answer,
                                     TimePoint counted_at) {
    const auto* const allow = std::get_if<Allow>(&answer);
    if (allow == nullptr || allow->by == CountedBy::kNobody) return std::nullopt;
    if (question.counting != Counting::kCharge && question.counting != Counting::kEnter) return std::nullopt;
    LimitQuestion undo = question;
    undo.counting = question.counting == Counting::kEnter ? Counting::kLeave : Counting::kReturn;
    undo.counted_at = counted_at;
    undo.by = allow->by;
    return undo;
}

std::vector<LimitQuestion> undo_of(std::span<const LimitQuestion> batch, std::span<const LimitAnswer> answers,
                                   TimePoint counted_at) {
    std::vector<LimitQuestion> all;
    if (answers.size() != batch.size()) return all;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const bool counts = batch[i].counting == Counting::kCharge || batch[i].counting == Counting::kEnter;
        const bool is_refused = counts && batch[i].is_binding && !std::holds_alternative<Allow>(answers[i]);
        if (is_refused) return {};  // so nothing of it was counted
        if (auto undo = undo_of(batch[i], answers[i], counted_at)) all.push_back(std::move(*undo));
    }
    return all;
}

ByteView name_of(Counted counted) {
    switch (counted) {
        case Counted::kConnections: return "connections";
        case Counted::kSessions: return "sessions";
        case Counted::kAuthAttempts: return "auth_attempts";
        case Counted::kAuthFailures: return "auth_failures";
        case Counted::kMessages: return "messages";
        case Counted::kRecipients: return "recipients";
        case Counted::kBytes: return "bytes";
    }
    return "";
}

ByteView name_of(LimitScope scope) {
    switch (scope) {
        case LimitScope::kIp: return "ip";
        case LimitScope::kNetwork: return "network";
        case LimitScope::kUser: return "user";
        case LimitScope::kSender: return "sender";
        case LimitScope::kSenderDomain: return "sender_domain";
        case LimitScope::kRecipientDomain: return "recipient_domain";
        case LimitScope::kListener: return "listener";
        case LimitScope::kUpstream: return "upstream";
        case LimitScope::kAll: return "all";
    }
    return "";
}

ByteView name_of(LimitAction action) {
    switch (action) {
        case LimitAction::kDelay: return "delay";
        case LimitAction::kDefer: return "defer";
        case LimitAction::kReject: return "reject";
        case LimitAction::kClose: return "close";
    }
    return "";
}

}  // namespace gatepost::policy

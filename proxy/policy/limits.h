// The limits that an operator names: which of them look at a client at which moment, what they ask the store,
// and what follows from its answers. Counts nothing itself. Immutable: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"
#include "proxy/policy/limit_store.h"
#include "proxy/policy/peer_address.h"

namespace gatepost::policy {

enum class Counted { kConnections, kSessions, kAuthAttempts, kAuthFailures, kMessages, kRecipients, kBytes };

enum class LimitScope {
    kIp,
    kNetwork,
    kUser,
    kSender,
    kSenderDomain,
    kRecipientDomain,
    kListener,
    kUpstream,
    kAll,
};

/// In the order of what a client hears when several refuse.
enum class LimitAction {
    kDelay,   ///< it waits until there is room
    kDefer,   ///< 4xx
    kReject,  ///< 5xx
    kClose,   ///< 421, and the session ends
};

/// All must hold; what is empty always does.
struct LimitConditions {
    std::string listener;
    std::string user;        ///< by matches_user(); never holds for a client who has not named himself
    std::string user_class;  ///< of the user's record; never holds for a client without AUTH
    std::optional<bool> authenticated;
    std::optional<bool> trusted;
};

struct LimitRule {
    std::string name;  ///< letters, digits, "-" and "_"
    Counted counted = Counted::kMessages;
    LimitScope scope = LimitScope::kUser;
    Rate rate;  ///< of kSessions only the burst counts: so many at a time
    std::map<std::string, Rate, std::less<>> classes;  ///< instead, for users of these limit classes
    LimitAction action = LimitAction::kDefer;
    LimitConditions when;
    bool is_enforced = true;  ///< false: counts, and refuses nobody
    unsigned ipv4_prefix = 24;
    unsigned ipv6_prefix = 64;

    /// It cannot be asked before the client has named a user.
    [[nodiscard]] bool needs_user() const;
};

/// When rules are looked at. Each rule has one moment.
enum class LimitMoment {
    kConnect,    ///< before the greeting: connections, sessions
    kLogin,      ///< AUTH is about to succeed: sessions that are told apart by user
    kAuth,       ///< before the first line of an AUTH exchange is judged: attempts; failures before
    kAuthUser,   ///< as soon as a user is named: the same, of rules that need one
    kMail,       ///< messages, bytes
    kRecipient,  ///< recipients; messages and bytes of rules by the recipient's domain
};
inline constexpr std::size_t kLimitMoments = 6;

/// Whom a rule looks at. Views are valid during the call.
struct LimitSubject {
    PeerAddress peer;
    ByteView listener;
    ByteView user;        ///< canonical, proved or (in AUTH) claimed; "" = none
    ByteView user_class;  ///< "" = none
    bool is_authenticated = false;
    bool is_trusted = false;
    ByteView sender{};     ///< as in MAIL FROM, "" = the null sender
    ByteView recipient{};  ///< as in RCPT TO
    ByteView upstream{};   ///< its name
    /// Of the message, as declared or as seen so far; what bytes rules ask for, at least 1.
    std::uint64_t bytes = 1;
};

/// Questions to a store, and which rule asks each.
struct LimitBatch {
    std::vector<LimitQuestion> questions;
    std::vector<std::uint32_t> rules;
};

struct LimitAllowed {
    bool operator==(const LimitAllowed&) const = default;
};
struct LimitRefusal {
    std::uint32_t rule = 0;
    LimitAction action = LimitAction::kDefer;
    Duration retry_after{};  ///< Duration::max() = never: it is more than the burst
    bool operator==(const LimitRefusal&) const = default;
};
/// The store could not answer, and nothing that it did answer refuses.
struct LimitUnknown {
    bool operator==(const LimitUnknown&) const = default;
};
using LimitVerdict = std::variant<LimitAllowed, LimitRefusal, LimitUnknown>;

class Limits {
  public:
    explicit Limits(std::vector<LimitRule> rules);

    [[nodiscard]] const LimitRule& rule(std::uint32_t number) const { return rules_[number]; }
    [[nodiscard]] std::size_t size() const noexcept { return rules_.size(); }

    /// Some rule looks at somebody then.
    [[nodiscard]] bool has(LimitMoment moment) const;

    /// What to ask the store: attempts, messages, recipients and bytes are charged, sessions entered,
    /// failures peeked at. Empty: no rule looks at this subject.
    [[nodiscard]] LimitBatch questions(LimitMoment moment, const LimitSubject& subject) const;

    /// What to record when an AUTH ended without the store being asked (`counted` kAuthAttempts), or with 535
    /// (kAuthFailures). The answers do not matter.
    [[nodiscard]] std::vector<LimitQuestion> records(Counted counted, const LimitSubject& subject) const;

    /// `answers` to the questions of `rules`, in their order. The heaviest action refuses; of equal ones the
    /// one that holds longest.
    [[nodiscard]] LimitVerdict verdict(std::span<const std::uint32_t> rules,
                                       std::span<const LimitAnswer> answers) const;

    /// Does the rule hold for the subject? Then the text behind "limit:NAME:" of its key.
    [[nodiscard]] static std::optional<std::string> value_for(const LimitRule& rule,
                                                              const LimitSubject& subject);
    /// What is allowed to the subject: of its class, or the rule's.
    [[nodiscard]] static const Rate& rate_for(const LimitRule& rule, ByteView user_class);
    [[nodiscard]] static LimitMoment moment_of(const LimitRule& rule);
    [[nodiscard]] static LimitKey key_of(const LimitRule& rule, ByteView value);

  private:
    [[nodiscard]] static std::optional<std::string> scope_value(const LimitRule& rule,
                                                                const LimitSubject& subject);

    std::vector<LimitRule> rules_;
    std::vector<std::vector<std::uint32_t>> by_moment_;  ///< numbers of rules
};

/// What gives back what `question` counted, when `answer` says that it did.
[[nodiscard]] std::optional<LimitQuestion> undo_of(const LimitQuestion& question, const LimitAnswer& answer,
                                                   TimePoint counted_at);
/// The same of a whole batch.
[[nodiscard]] std::vector<LimitQuestion> undo_of(std::span<const LimitQuestion> batch,
                                                 std::span<const LimitAnswer> answers, TimePoint counted_at);

[[nodiscard]] ByteView name_of(Counted counted);
[[nodiscard]] ByteView name_of(LimitScope scope);
[[nodiscard]] ByteView name_of(LimitAction action);

}  // namespace gatepost::policy

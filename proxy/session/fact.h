// What a conversation found out, as values for logs and metrics. Views last for the call that reports them.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "auth/dialogue/verdict.h"
#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"
#include "proxy/policy/guessing.h"
#include "proxy/smtp/command.h"
#include "proxy/smtp/upstream_leg.h"

namespace gatepost::session {

/// The client has said a command: the clock for its reply starts.
struct CommandTaken {
    bool is_first = true;  ///< no command before it still waits for its reply
};
/// All that belongs to the command taken last is there (a further line of AUTH, message data, a chunk): the
/// clock for its next reply starts now.
struct CommandCompleted {};

/// A command got its reply.
struct CommandAnswered {
    smtp::Verb verb = smtp::Verb::kUnknown;
    int code = 0;
};

enum class Breach {
    kBareNewline,  ///< in a command line
    kSmuggling,    ///< a bare CR or LF in message data
    kLineTooLong,
    kBadSequence,
    kPipelining,         ///< message data sent without waiting for 354
    kStartTlsInjection,  ///< octets behind STARTTLS
    kSyntax,
    kUnknownCommand,
};
struct ProtocolBroken {
    Breach breach;
};

enum class AuthEnd {
    kSucceeded,
    kRefusedCredentials,  ///< 535
    kUnavailable,         ///< 454
    kBusy,                ///< 454, the verify pool is full
    kCancelled,           ///< by "*", or the client left or fell silent: see the reason
    kMalformed,           ///< 501
    kTlsRequired,         ///< 530 or 538
    kNotOffered,          ///< 502, 503, 504
    kBlocked,             ///< 454, too many failures before, or a limit: no password was looked at
};
/// An AUTH exchange begins: the clock for its duration starts.
struct AuthBegun {};

/// An AUTH command came to its end. Every attempt is one, also those that never reached a credential store.
struct AuthEnded {
    AuthEnd end = AuthEnd::kNotOffered;
    auth::Reason reason = auth::Reason::kNone;
    std::string_view mechanism;  ///< upper case; "" when none was named
    std::string_view user;       ///< as far as the client named one; untrusted
    std::string_view backend;
};

enum class Result { kAccepted, kTransient, kPermanent, kAborted };
/// Whose answer or doing it is. What a rule that the operator wrote refuses is no fault of Gatepost's.
enum class Origin { kGateway, kUpstream, kClient, kPolicy };

/// The rules against guessing refuse this attempt; AuthEnded follows when the client is told (or has left).
struct GuessRefused {
    policy::GuessingRule rule = policy::GuessingRule::kIp;
    Duration retry_after{};
    std::string_view key;  ///< under which the failures are counted
    std::string_view mechanism;
    std::string_view user;
};

/// They let the attempt wait before its password is looked at.
struct GuessDelayed {
    Duration delay{};
    std::string_view mechanism;
    std::string_view user;
};

/// What one rule under `limits:` decided.
enum class LimitDecision {
    kAllow,
    kDelay,
    kDefer,
    kReject,
    kClose,
    kWouldRefuse,  ///< it is not enforced
    kFailOpen,     ///< let in uncounted: the store is away
    kUnavailable,  ///< deferred: the store is away
};
struct LimitDecided {
    std::uint32_t rule = 0;  ///< its number in Settings::limits
    LimitDecision decision = LimitDecision::kAllow;
    std::string_view key;    ///< holds what the client said, but no control
    Duration retry_after{};  ///< of a refusal; Duration::max() = never
};

/// Which policy refused a command.
enum class Policy {
    kSender,  ///< MAIL FROM is not the user's
    kNullSender,
    kRecipient,
    kSize,        ///< declared, or while it was received
    kRecipients,  ///< too many of them
};
struct PolicyRefused {
    Policy policy = Policy::kSender;
    std::string_view address;  ///< untrusted; "" where it is not about one
};

struct RecipientAnswered {
    Result result = Result::kPermanent;
    Origin origin = Origin::kGateway;
};

/// A mail transaction ended. `reply` is what the client heard, or would have heard.
struct MessageEnded {
    Result result = Result::kAborted;
    Origin origin = Origin::kGateway;
    std::string_view sender;
    std::size_t recipients = 0;  ///< accepted
    std::size_t recipients_refused = 0;
    std::uint64_t size = 0;  ///< octets sent upstream, without the end mark
    int code = 0;
    std::string_view reply;
    bool client_gone = false;  ///< the upstream's answer found nobody (decisions 7)
};

/// A transaction begins: the clock for its duration starts.
struct MessageBegun {};

/// Whom a transaction waits for from now on; it begins with kWait.
enum class MessagePhase {
    kWait,      ///< the limits, and a connection to the upstream
    kEnvelope,  ///< commands of the client and their answers, to the beginning of the data
    kData,      ///< the client sends the message
    kAnswer,    ///< the upstream has all of it, and its final answer is awaited
};
inline constexpr std::size_t kMessagePhases = 4;
struct MessagePhaseBegun {
    MessagePhase phase = MessagePhase::kWait;
};

enum class UpstreamOutcome {
    kOpened,
    kRefusedNow,
    kRefused,
    kUnreachable,
    kTimedOut,
    kNonsense,
    kLost,
    kTlsFailed,    ///< or it is required and cannot be had
    kAuthFailed,   ///< Gatepost's own AUTH
    kNotHonoured,  ///< it does not do what is configured
    kBusy,         ///< all connections that are allowed were in use for too long
    kNoRoute,      ///< the user's record names an upstream that there is not
};
struct UpstreamOpeningEnded {
    UpstreamOutcome how = UpstreamOutcome::kOpened;
    std::string_view what;  ///< what the upstream said, or why TLS failed; "" where there is nothing to say
};

/// A command is on its way to the upstream: the clock for its reply starts.
struct UpstreamAsked {
    smtp::Awaited awaited = smtp::Awaited::kMail;
};
struct UpstreamReplied {
    smtp::Awaited awaited = smtp::Awaited::kMail;
    int code = 0;  ///< 0 = it was no reply, or none that can be
};

/// A used upstream connection proved stale before anything was accepted on it; another takes its place.
struct UpstreamReplaced {
    std::string_view what;
};

/// The upstream connection failed inside a transaction.
struct UpstreamFailed {
    std::string_view what;
};

using Fact =
    std::variant<CommandTaken, CommandCompleted, CommandAnswered, ProtocolBroken, AuthBegun, AuthEnded,
                 GuessRefused, GuessDelayed, LimitDecided, PolicyRefused, RecipientAnswered, MessageBegun,
                 MessagePhaseBegun, MessageEnded, UpstreamOpeningEnded, UpstreamAsked, UpstreamReplied,
                 UpstreamReplaced, UpstreamFailed>;

enum class CloseReason {
    kQuit,
    kClientGone,
    kCommandTimeout,
    kAuthTimeout,
    kTlsTimeout,
    kDataTimeout,
    kAuthLimit,
    kErrorLimit,
    kProtocolError,
    kDrain,
    kKicked,     ///< by an operator
    kRateLimit,  ///< a rule under `limits:` closes
};

}  // namespace gatepost::session

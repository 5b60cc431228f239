#include "proxy/server/labels.h"

namespace gatepost::server {

using session::AuthEnd;

conf::CommandVerb to_label(smtp::Verb verb) {
    using smtp::Verb;
    using enum conf::CommandVerb;
    switch (verb) {
        case Verb::kHelo: return kHelo;
        case Verb::kEhlo: return kEhlo;
        case Verb::kStartTls: return kStarttls;
        case Verb::kAuth: return kAuth;
        case Verb::kMail: return kMail;
        case Verb::kRcpt: return kRcpt;
        case Verb::kData: return kData;
        case Verb::kBdat: return kBdat;
        case Verb::kRset: return kRset;
        case Verb::kNoop: return kNoop;
        case Verb::kQuit: return kQuit;
        case Verb::kVrfy: return kVrfy;
        case Verb::kExpn: return kExpn;
        case Verb::kHelp: return kHelp;
        case Verb::kEtrn:
        case Verb::kTurn:
        case Verb::kUnknown: return kOther;
    }
    return kOther;
}

conf::ProtocolError to_label(session::Breach breach) {
    using session::Breach;
    using enum conf::ProtocolError;
    switch (breach) {
        case Breach::kBareNewline: return kBareNewline;
        case Breach::kSmuggling: return kSmuggling;
        case Breach::kLineTooLong: return kLineTooLong;
        case Breach::kBadSequence: return kBadSequence;
        case Breach::kPipelining: return kPipelining;
        case Breach::kStartTlsInjection: return kStarttlsInjection;
        case Breach::kSyntax: return kSyntax;
        case Breach::kUnknownCommand: return kUnknownCommand;
    }
    return kSyntax;
}

conf::UpstreamVerb to_label(smtp::Awaited awaited) {
    using smtp::Awaited;
    using enum conf::UpstreamVerb;
    switch (awaited) {
        case Awaited::kMail: return kMail;
        case Awaited::kRcpt: return kRcpt;
        case Awaited::kData: return kData;
        case Awaited::kEndOfData: return kMessage;
        case Awaited::kChunk:
        case Awaited::kLastChunk: return kBdat;
        case Awaited::kReset: return kRset;
        case Awaited::kQuit: return kQuit;
    }
    return kMail;
}

std::optional<conf::UpstreamCommand> command_label(smtp::Awaited awaited) {
    using smtp::Awaited;
    using enum conf::UpstreamCommand;
    switch (awaited) {
        case Awaited::kMail: return kMail;
        case Awaited::kRcpt: return kRcpt;
        case Awaited::kData: return kData;
        case Awaited::kEndOfData: return kMessage;
        case Awaited::kChunk:
        case Awaited::kLastChunk: return kBdat;
        case Awaited::kReset: return kRset;
        case Awaited::kQuit: break;
    }
    return std::nullopt;
}

conf::SessionPhase phase_of(const session::Conversation& conversation, conf::SessionPhase before) {
    using session::State;
    using enum conf::SessionPhase;
    switch (conversation.state()) {
        case State::kConnecting: return kGreeting;
        case State::kAwaitingTls: return kTls;
        case State::kAwaitingCommand:
            if (!conversation.is_between_transactions()) return kEnvelope;
            return conversation.commands() == 0 ? kGreeting : kIdle;
        case State::kAwaitingAuthLine:
        case State::kAwaitingLimits:
        case State::kAwaitingLateLimits:
        case State::kAwaitingGuessDelay:
        case State::kAwaitingGuessRefusal:
        case State::kAwaitingVerdict:
        case State::kAwaitingLateVerdict:
        case State::kAwaitingAuthDelay: return kAuth;
        case State::kAwaitingUpstream:
        case State::kAwaitingReset: return kEnvelope;
        case State::kAwaitingGoAhead:
        case State::kReceivingData:
        case State::kRefusingData:
        case State::kReceivingChunk:
        case State::kRefusingChunk: return kData;
        case State::kAwaitingFinal: return kRelay;
        case State::kAwaitingAllowance:
        case State::kAwaitingRoom:
        case State::kClosed: break;
    }
    return before;
}

bool waits_for_us(session::State state) {
    using session::State;
    return state == State::kAwaitingAllowance || state == State::kAwaitingRoom ||
           state == State::kAwaitingUpstream;
}

conf::MessageResult to_label(session::Result result) {
    return static_cast<conf::MessageResult>(result);
}
conf::RecipientResult to_recipient_label(session::Result result) {
    return static_cast<conf::RecipientResult>(result);
}
conf::Origin to_label(session::Origin origin) {
    return static_cast<conf::Origin>(origin);
}
static_assert(static_cast<int>(session::Result::kAborted) == static_cast<int>(conf::MessageResult::kAborted));
static_assert(static_cast<int>(session::Result::kPermanent) ==
              static_cast<int>(conf::MessageResult::kPermfail));
static_assert(static_cast<int>(session::Origin::kPolicy) == static_cast<int>(conf::Origin::kPolicy));

conf::AuthResult to_label(const session::AuthEnded& fact) {
    using enum conf::AuthResult;
    switch (fact.end) {
        case AuthEnd::kSucceeded: return kSuccess;
        case AuthEnd::kRefusedCredentials:
            if (fact.reason == auth::Reason::kDisabled) return kDisabled;
            if (fact.reason == auth::Reason::kNotAuthorized) return kNotAuthorized;
            if (fact.reason == auth::Reason::kDowngraded) return kDowngraded;
            return kInvalidCredentials;
        case AuthEnd::kUnavailable:
            return fact.reason == auth::Reason::kStoreTimedOut ? kBackendTimeout : kBackendError;
        case AuthEnd::kBusy: return kBusy;
        case AuthEnd::kCancelled: return fact.reason == auth::Reason::kClientSilent ? kTimedOut : kAborted;
        case AuthEnd::kMalformed: return kMalformed;
        case AuthEnd::kTlsRequired: return kTlsRequired;
        case AuthEnd::kNotOffered: return kRefused;
        case AuthEnd::kBlocked: return kBlocked;
    }
    return kRefused;
}

conf::GuessingScope to_label(policy::GuessingRule rule) {
    using policy::GuessingRule;
    using enum conf::GuessingScope;
    switch (rule) {
        case GuessingRule::kIp: return kIp;
        case GuessingRule::kNetwork: return kNetwork;
        case GuessingRule::kUserAndNetwork:
        case GuessingRule::kUser: return kUserAndNetwork;  // the latter only delays
    }
    return kIp;
}

conf::LimitDecision to_label(session::LimitDecision decision) {
    return static_cast<conf::LimitDecision>(decision);
}
conf::PolicyLabel to_label(session::Policy policy) {
    return static_cast<conf::PolicyLabel>(policy);
}
static_assert(static_cast<int>(session::LimitDecision::kClose) ==
              static_cast<int>(conf::LimitDecision::kClose));
static_assert(static_cast<int>(session::LimitDecision::kUnavailable) ==
              static_cast<int>(conf::LimitDecision::kUnavailable));
static_assert(static_cast<int>(session::Policy::kRecipient) ==
              static_cast<int>(conf::PolicyLabel::kRecipient));
static_assert(static_cast<int>(session::Policy::kRecipients) ==
              static_cast<int>(conf::PolicyLabel::kRecipientCount));

conf::ConnectResult to_label(upstream::OpeningFailure::Why why) {
    using Why = upstream::OpeningFailure::Why;
    using enum conf::ConnectResult;
    switch (why) {
        case Why::kUnreachable: return kUnreachable;
        case Why::kNoAddress: return kDns;
        case Why::kTimedOut: return kTimeout;
        case Why::kTlsFailed: return kTls;
        case Why::kRefusedNow: return kGreeting4xx;
        case Why::kRefusedForGood: return kGreeting5xx;
        case Why::kAuthFailed: return kAuth;
        case Why::kNotHonoured:
        case Why::kUnsayable: return kIdentity;
        case Why::kNonsense: return kProtocol;
        case Why::kLost:
        case Why::kBusy: break;
    }
    return kLost;
}

session::UpstreamOutcome to_outcome(upstream::OpeningFailure::Why why) {
    using Why = upstream::OpeningFailure::Why;
    using enum session::UpstreamOutcome;
    switch (why) {
        case Why::kUnreachable:
        case Why::kNoAddress: return kUnreachable;
        case Why::kTimedOut: return kTimedOut;
        case Why::kTlsFailed: return kTlsFailed;
        case Why::kRefusedNow: return kRefusedNow;
        case Why::kRefusedForGood: return kRefused;
        case Why::kAuthFailed: return kAuthFailed;
        case Why::kNotHonoured:
        case Why::kUnsayable: return kNotHonoured;
        case Why::kNonsense: return kNonsense;
        case Why::kBusy: return kBusy;
        case Why::kLost: break;
    }
    return kLost;
}

std::string_view reason_of(session::UpstreamOutcome outcome) {
    using enum session::UpstreamOutcome;
    switch (outcome) {
        case kOpened: return "ok";
        case kRefusedNow: return "greeting_4xx";
        case kRefused: return "greeting_5xx";
        case kUnreachable: return "unreachable";
        case kTimedOut: return "timeout";
        case kNonsense: return "protocol";
        case kLost: return "lost";
        case kTlsFailed: return "tls";
        case kAuthFailed: return "auth";
        case kNotHonoured: return "identity";
        case kBusy: return "busy";
        case kNoRoute: return "no_route";
    }
    return "";
}

conf::CloseReason to_label(session::CloseReason reason) {
    using session::CloseReason;
    using enum conf::CloseReason;
    switch (reason) {
        case CloseReason::kQuit: return kQuit;
        case CloseReason::kClientGone: return kClientEof;
        case CloseReason::kCommandTimeout: return kCommandTimeout;
        case CloseReason::kAuthTimeout: return kAuthTimeout;
        case CloseReason::kTlsTimeout: return kTlsTimeout;
        case CloseReason::kDataTimeout: return kDataTimeout;
        case CloseReason::kAuthLimit: return kAuthLimit;
        case CloseReason::kErrorLimit: return kErrorLimit;
        case CloseReason::kRateLimit: return kRateLimit;
        case CloseReason::kProtocolError: return kProtocolError;
        case CloseReason::kDrain: return kDrain;
        case CloseReason::kKicked: return kKicked;
    }
    return kInternalError;
}

conf::CloseReason to_label(net::CloseCause cause) {
    using net::CloseCause;
    using enum conf::CloseReason;
    switch (cause) {
        case CloseCause::kEof: return kClientEof;
        case CloseCause::kDropped:
        case CloseCause::kConnectFailed: return kClientReset;
        case CloseCause::kTlsFailed: return kTlsError;
        case CloseCause::kBufferOverrun: return kBufferLimit;
    }
    return kInternalError;
}

conf::UpstreamTlsFailure upstream_tls_failure_label(std::string_view what) {
    using enum conf::UpstreamTlsFailure;
    const auto says = [&](std::string_view words) { return what.find(words) != std::string_view::npos; };
    if (says("not to be had")) return kNotOffered;
    if (says("no shared cipher") || says("handshake failure")) return kNoSharedCipher;
    if (says("unsupported protocol") || says("protocol version") || says("version too low"))
        return kUnsupportedVersion;
    if (says("wrong version number") || says("packet length") || says("http request")) return kNotTls;
    // Of X509_verify_cert_error_string().
    if (says("certificate") || says("CA") || says("mismatch")) return kCertificate;
    return kOther;
}

/// OpenSSL's words for why, as a closed set.
conf::TlsFailure tls_failure_label(net::CloseCause cause, std::string_view why) {
    using enum conf::TlsFailure;
    const auto says = [&](std::string_view words) { return why.find(words) != std::string_view::npos; };
    if (says("no shared cipher")) return kNoSharedCipher;
    if (says("unsupported protocol") || says("version too low")) return kUnsupportedVersion;
    if (says("wrong version number") || says("http request") || says("packet length")) return kNotTls;
    if (says("did not return a certificate")) return kClientCert;
    // An alert is what the client says of our certificate; all else about one is what we say of the client's.
    if (says("alert")) return says("certificate") || says("unknown ca") ? kRejected : kOther;
    if (says("certificate")) return kClientCert;
    return cause == net::CloseCause::kTlsFailed && !why.empty() ? kOther : kEof;
}

}  // namespace gatepost::server

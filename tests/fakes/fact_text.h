// Facts of a conversation as one line of text each, for tests to look at and people to read.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "proxy/session/fact.h"

namespace gatepost::test {

inline std::string_view to_text(session::Result result) {
    constexpr std::string_view kNames[] = {"accepted", "transient", "permanent", "aborted"};
    return kNames[static_cast<int>(result)];
}

inline std::string_view to_text(session::Origin origin) {
    constexpr std::string_view kNames[] = {"gateway", "upstream", "client", "policy"};
    return kNames[static_cast<int>(origin)];
}

inline std::string_view to_text(session::CloseReason reason) {
    constexpr std::string_view kNames[] = {
        "quit",       "client_gone", "command_timeout", "auth_timeout", "tls_timeout", "data_timeout",
        "auth_limit", "error_limit", "protocol_error",  "drain",        "kicked",      "rate_limit"};
    return kNames[static_cast<int>(reason)];
}

class FactText {
  public:
    // What only starts a clock is no line.
    std::string operator()(const session::CommandTaken& /*fact*/) const { return ""; }
    std::string operator()(const session::CommandCompleted& /*fact*/) const { return ""; }
    std::string operator()(const session::UpstreamAsked& /*fact*/) const { return ""; }
    std::string operator()(const session::CommandAnswered& fact) const {
        return "command " + std::string(smtp::to_string(fact.verb)) + ' ' + std::to_string(fact.code);
    }
    std::string operator()(const session::ProtocolBroken& fact) const {
        constexpr std::string_view kNames[] = {"bare_newline", "smuggling",      "line_too_long",
                                               "bad_sequence", "pipelining",     "starttls_injection",
                                               "syntax",       "unknown_command"};
        return "broken " + std::string(kNames[static_cast<int>(fact.breach)]);
    }
    std::string operator()(const session::AuthBegun& /*fact*/) const { return "auth begun"; }
    std::string operator()(const session::AuthEnded& fact) const {
        constexpr std::string_view kNames[] = {"succeeded",    "refused",     "unavailable",
                                               "busy",         "cancelled",   "malformed",
                                               "tls_required", "not_offered", "blocked"};
        std::string text = "auth " + std::string(kNames[static_cast<int>(fact.end)]);
        text += ' ' + std::string(to_string(fact.reason));
        text += " mechanism=" + std::string(fact.mechanism);
        return text + " user=" + std::string(fact.user);
    }
    std::string operator()(const session::GuessRefused& fact) const {
        std::string text = "guess refused " + std::string(policy::name_of(fact.rule));
        return text + " mechanism=" + std::string(fact.mechanism) + " user=" + std::string(fact.user);
    }
    std::string operator()(const session::GuessDelayed& fact) const {
        std::string text = "guess delayed ";
        text += std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(fact.delay).count());
        return text + "ms mechanism=" + std::string(fact.mechanism) + " user=" + std::string(fact.user);
    }
    std::string operator()(const session::LimitDecided& fact) const {
        constexpr std::string_view kNames[] = {"allow", "delay",        "defer",     "reject",
                                               "close", "would_refuse", "fail_open", "unavailable"};
        return "limit " + std::string(kNames[static_cast<int>(fact.decision)]) + ' ' + std::string(fact.key);
    }
    std::string operator()(const session::PolicyRefused& fact) const {
        constexpr std::string_view kNames[] = {"sender", "null_sender", "recipient", "size", "recipients"};
        return "policy refused " + std::string(kNames[static_cast<int>(fact.policy)]) + ' ' +
               std::string(fact.address);
    }
    std::string operator()(const session::RecipientAnswered& fact) const {
        return "recipient " + std::string(to_text(fact.result)) + ' ' + std::string(to_text(fact.origin));
    }
    std::string operator()(const session::MessageBegun& /*fact*/) const { return "message begun"; }
    std::string operator()(const session::MessagePhaseBegun& fact) const {
        constexpr std::string_view kNames[] = {"wait", "envelope", "data", "answer"};
        return "message phase " + std::string(kNames[static_cast<int>(fact.phase)]);
    }
    std::string operator()(const session::MessageEnded& fact) const {
        std::string text =
            "message " + std::string(to_text(fact.result)) + ' ' + std::string(to_text(fact.origin));
        text += ' ' + std::to_string(fact.code) + " from=" + std::string(fact.sender);
        text +=
            " recipients=" + std::to_string(fact.recipients) + '+' + std::to_string(fact.recipients_refused);
        text += " size=" + std::to_string(fact.size);
        return fact.client_gone ? text + " client gone" : text;
    }
    std::string operator()(const session::UpstreamOpeningEnded& fact) const {
        constexpr std::string_view kNames[] = {"opened",      "refused_now",  "refused", "unreachable",
                                               "timed_out",   "nonsense",     "lost",    "tls_failed",
                                               "auth_failed", "not_honoured", "busy",    "no_route"};
        return "upstream " + std::string(kNames[static_cast<int>(fact.how)]);
    }
    std::string operator()(const session::UpstreamReplied& fact) const {
        return "reply " + std::string(smtp::to_string(fact.awaited)) + ' ' + std::to_string(fact.code);
    }
    std::string operator()(const session::UpstreamReplaced& fact) const {
        return "upstream replaced " + std::string(fact.what);
    }
    std::string operator()(const session::UpstreamFailed& fact) const {
        return "upstream failed " + std::string(fact.what);
    }
};

inline std::string to_text(const session::Fact& fact) {
    return std::visit(FactText(), fact);
}

}  // namespace gatepost::test

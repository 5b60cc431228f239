#include "proxy/commands/explanation.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/base/printable.h"
#include "proxy/policy/guessing.h"
#include "proxy/policy/limit_report.h"
#include "proxy/policy/routes.h"
#include "proxy/policy/senders.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::commands {
namespace {

namespace replies = smtp::replies;
using policy::LimitMoment;

/// "" when none matches.
std::string matching(const std::vector<std::string>& patterns, const std::string& address) {
    const auto found = std::ranges::find_if(
        patterns, [&](const std::string& pattern) { return policy::matches_address(pattern, address); });
    return found == patterns.end() ? "" : *found;
}

std::vector<std::string> patterns_of(const std::string& senders) {
    std::vector<std::string> patterns;
    for (std::size_t from = 0; from < senders.size();) {
        const std::size_t to = std::min(senders.find_first_of(", \t", from), senders.size());
        if (to > from) patterns.push_back(senders.substr(from, to - from));
        from = to + 1;
    }
    return patterns;
}

std::string angle(const std::string& address) {
    return "<" + printable(address) + ">";
}

}  // namespace

std::string state_text(const policy::LimitAnswer& answer, std::uint64_t burst) {
    const std::string of = " of " + std::to_string(burst) + " used";
    if (const auto* const allow = std::get_if<policy::Allow>(&answer))
        return std::to_string(allow->used) + of;
    const auto* const refused = std::get_if<policy::Refused>(&answer);
    if (refused == nullptr) return "how much is used is not known";
    return std::to_string(refused->used) + of;
}

Explanation::Explanation(const Explain& what, const server::Plan& plan, const server::ListenerPlan& listener,
                         const FoundUser* user, RunningCounts& counts, std::ostream& out)
    : what_(what),
      plan_(plan),
      listener_(listener),
      user_(user),
      counts_(counts),
      out_(out),
      address_(net::SocketAddress::from_ip(what.address, 0).value_or(net::SocketAddress())),
      peer_(policy::PeerAddress::from_octets(address_.ip_octets())),
      identity_(user == nullptr ? auth::Identity{} : user->identity) {}

std::string Explanation::verdict() {
    out_ << "listener " << printable(listener_.name) << ", " << listener_.address << '\n';
    client();
    limits(LimitMoment::kConnect, "connect", false);
    if (user_ != nullptr) login();
    sender();
    size();
    route();
    const bool is_in = user_ != nullptr;
    limits(LimitMoment::kMail, "MAIL", is_in);
    recipient();
    limits(LimitMoment::kRecipient, "RCPT", is_in);
    const std::string upstream = plan_.config->upstreams[upstream_].name;
    const std::string verdict =
        refused_ ? "refused at " + *refused_ : "accepted, to upstream \"" + upstream + "\"";
    row("verdict", verdict);
    return verdict;
}

void Explanation::client() {
    const bool is_trusted = listener_.is_trusted(address_);
    const bool needs_auth = listener_.session.require_auth && !is_trusted;
    row("client", peer_.text() + (is_trusted ? " is in trusted_networks: " : " is not trusted: ") +
                      (needs_auth ? "AUTH is needed" : "may send without AUTH"));
    if (needs_auth && user_ == nullptr) refuse("MAIL", replies::kAuthRequired);
}

void Explanation::login() {
    for (const std::string& told : user_->told) row("user", told);
    guessing();
    limits(LimitMoment::kAuth, "AUTH", false);
    limits(LimitMoment::kAuthUser, "AUTH", false);
    login_outcome();
    limits(LimitMoment::kLogin, "AUTH", true);
}

void Explanation::guessing() {
    if (listener_.is_trusted(address_)) return row("guessing", "not for trusted clients");
    const policy::Guessing& rules = listener_.session.guessing;
    const std::string& name = identity_.user.empty() ? what_.user : identity_.user;
    const std::vector<policy::LimitQuestion> questions = rules.questions_before(peer_, name);
    if (questions.empty()) return row("guessing", "all rules are off");
    policy::LimitAnswers answers;
    for (const policy::LimitQuestion& question : questions) {
        answers.push_back(counts_.ask(question, ""));
        const auto owner = rules.owner_of(question.key.text);
        row("guessing", (owner ? std::string(policy::name_of(owner->rule)) : "") + ": " +
                            state_text(answers.back(), question.rate.burst) + ", key " + question.key.text);
    }
    const policy::GuessingVerdict verdict = rules.verdict(peer_, name, answers);
    if (const auto* const go_on = std::get_if<policy::GoOn>(&verdict);
        go_on != nullptr && go_on->delay > Duration::zero()) {
        row("guessing", "the password is looked at " + policy::duration_text(go_on->delay) + " later");
    } else if (std::holds_alternative<policy::RefuseGuess>(verdict)) {
        refuse("AUTH", replies::kTooManyGuesses);
    }
}

void Explanation::login_outcome() {
    switch (user_->status) {
        case FoundUser::Status::kUnknown: return refuse("AUTH", replies::kInvalidCredentials);
        case FoundUser::Status::kUnavailable: return refuse("AUTH", replies::kAuthUnavailable);
        case FoundUser::Status::kJudgedElsewhere:
        case FoundUser::Status::kFound: break;
    }
    if (!user_->is_disabled) return;
    refuse("AUTH",
           listener_.session.says_disabled ? replies::kAccountDisabled : replies::kInvalidCredentials);
}

void Explanation::sender() {
    const session::Settings& settings = listener_.session;
    if (what_.sender.empty()) {
        row("sender", settings.null_sender ? "<> is allowed" : "<> is not allowed: policy.null_sender");
        if (!settings.null_sender) refuse("MAIL", replies::kNullSenderRefused);
        return;
    }
    const std::string who = angle(what_.sender);
    if (!settings.own_senders) return row("sender", who + " is allowed: policy.senders is any");
    if (user_ == nullptr) return row("sender", who + " is allowed: without AUTH nobody has own senders");
    if (policy::is_own_sender(identity_.user, "", what_.sender))
        return row("sender", who + " is allowed: it is the user's own name");
    if (policy::is_own_sender(identity_.user, identity_.senders, what_.sender))
        return row("sender", who + " is allowed: by \"" +
                                 printable(matching(patterns_of(identity_.senders), what_.sender)) +
                                 "\" of the record's senders");
    row("sender", who + " is not the user's: neither his name nor one of the record's senders (" +
                      (identity_.senders.empty() ? "none" : printable(identity_.senders)) + ")");
    refuse("MAIL", replies::kNotYourSender);
}

void Explanation::size() {
    const std::uint64_t most = listener_.session.max_message_size;
    if (what_.size == 0 || most == 0) return;
    const bool fits = what_.size <= most;
    row("size", std::to_string(what_.size) + (fits ? " fits into " : " is more than ") +
                    "session.max_message_size " + std::to_string(most));
    if (!fits) refuse("MAIL", replies::kTooLarge);
}

void Explanation::recipient() {
    const conf::Policy& policy = plan_.config->policy;
    const std::string who = angle(what_.recipient);
    const std::string denied = matching(policy.recipients_deny, what_.recipient);
    const std::string allowed = matching(policy.recipients_allow, what_.recipient);
    if (listener_.session.recipients.allows(what_.recipient)) {
        return row(
            "recipient",
            who + " is allowed" +
                (allowed.empty() ? "" : ": by \"" + printable(allowed) + "\" of policy.recipients_allow"));
    }
    row("recipient", who + " is not allowed: " +
                         (denied.empty() ? "nothing of policy.recipients_allow matches"
                                         : "by \"" + printable(denied) + "\" of policy.recipients_deny"));
    refuse("RCPT", replies::kRecipientRefused);
}

/// As the conversation chooses: the record, then the first route that holds, then the first upstream.
void Explanation::route() {
    const conf::Config& config = *plan_.config;
    const auto to = [&](std::size_t upstream, const std::string& why) {
        upstream_ = upstream;
        std::string servers;
        for (const conf::Endpoint& server : config.upstreams[upstream].servers)
            servers += (servers.empty() ? "" : ", ") + server.text;
        row("route", why + ": upstream \"" + config.upstreams[upstream].name + "\" (" + servers + ")");
    };
    if (!identity_.upstream.empty()) {
        const auto named = std::ranges::find(config.upstreams, identity_.upstream, &conf::Upstream::name);
        if (named != config.upstreams.end())
            return to(static_cast<std::size_t>(named - config.upstreams.begin()), "by the user's record");
        row("route",
            "the user's record names upstream " + printable(identity_.upstream) + ", which there is not");
        return refuse("MAIL", replies::kNoRoute);
    }
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const conf::Route& route = config.routes[i];
        const auto upstream = std::ranges::find(config.upstreams, route.upstream, &conf::Upstream::name);
        const std::size_t index = static_cast<std::size_t>(upstream - config.upstreams.begin());
        const policy::Routes alone({{.user = route.user,
                                     .sender_domain = route.sender_domain,
                                     .listener = route.listener,
                                     .upstream = index}});
        const std::string path = "routes[" + std::to_string(i) + "]";
        if (alone.upstream_for(identity_.user, what_.sender, listener_.name))
            return to(index, "by " + path + " (" + config.where(path) + ")");
    }
    to(0, config.routes.empty() ? "the default" : "the default, no route holds");
}

/// A heading stands in front of the first of its rows only.
void Explanation::row(const std::string& what, const std::string& text) {
    constexpr std::size_t kWidth = 11;
    std::string heading = what == last_what_ ? "" : what;
    heading.resize(kWidth, ' ');
    out_ << "  " << heading << text << '\n';
    last_what_ = what;
}

void Explanation::refuse(const std::string& at, const smtp::Reply& reply) {
    if (!refused_) refused_ = at + ": " + std::to_string(reply.code) + " " + reply.text;
}

}  // namespace gatepost::commands

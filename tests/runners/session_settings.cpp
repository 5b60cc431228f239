#include "tests/runners/session_settings.h"

#include <functional>
#include <map>
#include <optional>
#include <sstream>

namespace gatepost::test {
namespace {

using session::Settings;

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(word);
    return all;
}

/// "250ms", "30s", "5m", "1h"
Duration to_duration(const std::string& text) {
    std::size_t digits = 0;
    const long number = std::stol(text, &digits);
    const std::string unit = text.substr(digits);
    if (unit == "ms") return std::chrono::milliseconds(number);
    if (unit == "m") return std::chrono::minutes(number);
    if (unit == "h") return std::chrono::hours(number);
    return std::chrono::seconds(number);
}

using Rule = std::optional<policy::GuessingSettings::Failures> policy::GuessingSettings::*;
const std::map<std::string, Rule> kGuessingRules{
    {"per_ip", &policy::GuessingSettings::per_ip},
    {"per_network", &policy::GuessingSettings::per_network},
    {"per_user_and_network", &policy::GuessingSettings::per_user_and_network},
};

using Member = Duration Settings::*;
const std::map<std::string, Member> kDurations{
    {"command_timeout", &Settings::command_timeout},     {"auth_timeout", &Settings::auth_timeout},
    {"data_timeout", &Settings::data_timeout},           {"failure_delay", &Settings::failure_delay},
    {"handshake_timeout", &Settings::handshake_timeout}, {"limits_timeout", &Settings::limits_timeout},
};
using OfUpstream = Duration session::UpstreamSettings::*;
const std::map<std::string, OfUpstream> kUpstreamDurations{
    {"connect_timeout", &session::UpstreamSettings::connect_timeout},
    {"reply_timeout", &session::UpstreamSettings::reply_timeout},
};
const std::map<std::string, bool Settings::*> kSwitches{
    {"offers_tls", &Settings::offers_tls},
    {"require_tls", &Settings::require_tls},
    {"require_auth", &Settings::require_auth},
    {"plaintext_without_tls", &Settings::plaintext_without_tls},
    {"legacy_auth_line", &Settings::legacy_auth_line},
    {"received_header", &Settings::received_header},
    {"says_disabled", &Settings::says_disabled},
    {"null_sender", &Settings::null_sender},
    {"user_in_received", &Settings::user_in_received},
};
using Number = std::function<void(Settings&, unsigned long)>;
const std::map<std::string, Number> kNumbers{
    {"max_attempts", [](Settings& to, unsigned long number) { to.max_attempts = static_cast<int>(number); }},
    {"max_errors", [](Settings& to, unsigned long number) { to.max_errors = static_cast<int>(number); }},
    {"max_recipients", [](Settings& to, unsigned long number) { to.max_recipients = number; }},
    {"max_line_length", [](Settings& to, unsigned long number) { to.max_line_length = number; }},
    {"max_message_size", [](Settings& to, unsigned long number) { to.max_message_size = number; }},
};

/// "20/10m"
policy::GuessingSettings::Failures to_failures(const std::string& text) {
    const std::size_t slash = text.find('/');
    return {.count = std::stoul(text), .per = to_duration(text.substr(slash + 1))};
}

/// "NAME COUNT PER RATE ACTION", and "dry" where it is not enforced.
std::optional<policy::LimitRule> to_limit(const std::string& text) {
    using policy::Counted;
    using policy::LimitScope;
    const std::vector<std::string> parts = words(text);
    if (parts.size() < 5) return std::nullopt;
    const auto named = []<typename T>(const std::string& name, T last) -> std::optional<T> {
        for (int i = 0; i <= static_cast<int>(last); ++i) {
            if (policy::name_of(static_cast<T>(i)) == name) return static_cast<T>(i);
        }
        return std::nullopt;
    };
    const auto counted = named(parts[1], Counted::kBytes);
    const auto scope = named(parts[2], LimitScope::kAll);
    const auto action = named(parts[4], policy::LimitAction::kClose);
    if (!counted || !scope || !action) return std::nullopt;
    const policy::GuessingSettings::Failures rate = to_failures(parts[3]);
    policy::LimitRule rule;
    rule.name = parts[0];
    rule.counted = *counted;
    rule.scope = *scope;
    rule.rate = {.count = rate.count, .per = rate.per, .burst = rate.count, .debt = 0};
    rule.action = *action;
    rule.is_enforced = parts.size() == 5;
    return rule;
}

/// Several of them, with "," between.
std::optional<policy::Limits> to_limits(const std::string& text) {
    std::vector<policy::LimitRule> rules;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) {
        std::optional<policy::LimitRule> rule = to_limit(part);
        if (!rule) return std::nullopt;
        rules.push_back(std::move(*rule));
    }
    return policy::Limits(std::move(rules));
}

smtp::Capabilities to_capabilities(const std::string& keywords) {
    smtp::Capabilities able;
    able.esmtp = true;
    for (std::string word : words(keywords)) {
        if (const std::size_t equals = word.find('='); equals != std::string::npos) word[equals] = ' ';
        able.add_line(word);
    }
    return able;
}

}  // namespace

SessionSettings settings_of(const Transcript& transcript) {
    SessionSettings all;
    all.session.hostname = "gate.example";
    all.opening.our_name = "gate.example";
    all.session.offers_tls = true;
    all.session.require_tls = false;
    all.session.plaintext_without_tls = true;
    all.session.received_header = false;
    all.session.mechanisms = {"PLAIN", "LOGIN"};
    all.session.max_message_size = 52428800;
    all.client = {.address = "192.0.2.7",
                  .session_id = "s1",
                  .peer = policy::PeerAddress::from_octets(ByteView("\xC0\0\x02\x07", 4)),
                  .is_trusted = false};
    policy::GuessingSettings guessing;
    std::vector<std::string> recipients_allow;
    std::vector<std::string> recipients_deny;
    all.offer = to_capabilities("PIPELINING SIZE 8BITMIME SMTPUTF8 DSN CHUNKING ENHANCEDSTATUSCODES");
    for (const auto& [key, value] : transcript.settings) {
        if (const auto duration = kDurations.find(key); duration != kDurations.end()) {
            all.session.*duration->second = to_duration(value);
        } else if (const auto of = kUpstreamDurations.find(key); of != kUpstreamDurations.end()) {
            all.session.upstreams.front().*of->second = to_duration(value);
        } else if (const auto flag = kSwitches.find(key); flag != kSwitches.end()) {
            all.session.*flag->second = value == "yes";
        } else if (const auto number = kNumbers.find(key); number != kNumbers.end()) {
            number->second(all.session, std::stoul(value));
        } else if (const auto rule = kGuessingRules.find(key); rule != kGuessingRules.end()) {
            guessing.*rule->second = to_failures(value);
        } else if (key == "per_user_delay") {
            guessing.per_user_delay = to_duration(value);
        } else if (key == "mechanisms") {
            all.session.mechanisms = words(value);
        } else if (key == "upstream_offers") {
            all.offer = to_capabilities(value);
        } else if (key == "upstream_start_tls") {
            all.opening.start_tls =
                value == "required" ? smtp::StartTls::kRequired : smtp::StartTls::kIfOffered;
        } else if (key == "mail_auth") {
            all.session.upstreams.front().mail_auth = value == "yes";
        } else if (key == "limits") {
            if (auto limits = to_limits(value)) {
                all.session.limits = std::move(*limits);
            } else {
                all.problems.push_back("no limits: " + value);
            }
        } else if (key == "senders") {
            all.session.own_senders = value == "own";
        } else if (key == "user_senders") {
            all.user_senders = value;
        } else if (key == "recipients_allow") {
            recipients_allow = words(value);
        } else if (key == "recipients_deny") {
            recipients_deny = words(value);
        } else if (key == "trusted") {
            all.client.is_trusted = value == "yes";
        } else {
            all.problems.push_back("there is no setting \"" + key + '"');
        }
    }
    all.session.guessing = policy::Guessing(guessing);
    all.session.recipients = policy::Recipients(recipients_allow, recipients_deny);
    return all;
}

Duration duration_named(const Settings& settings, const std::string& key) {
    if (!key.empty() && key.front() >= '0' && key.front() <= '9') return to_duration(key);
    if (const auto of = kUpstreamDurations.find(key); of != kUpstreamDurations.end())
        return settings.upstreams.front().*of->second;
    const auto found = kDurations.find(key);
    return found == kDurations.end() ? Duration(-1) : settings.*found->second;
}

}  // namespace gatepost::test

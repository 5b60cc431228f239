#include "tests/bench/sink_options.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

namespace gatepost::bench {

const std::string_view kSinkUsage = R"(gatepost-sink: a small fast SMTP server that takes every message.

  --listen ADDRESS:PORT   where (default 127.0.0.1:0; port 0 = a free one); prints `listening ADDRESS:PORT`
  --show                  print each message that arrives
  --store DIR             keep each message as DIR/NNNN.eml (exact octets) and DIR/NNNN.env (JSON), .env first
  --wire FILE             keep the octets received, decrypted: all in FILE, those of connection N in FILE.N

What it offers
  --no-pipelining --no-chunking --no-8bitmime --no-smtputf8 --no-dsn --no-enhancedstatuscodes
  --helo-only             EHLO is 502
  --certificate FILE --key FILE        STARTTLS, with these (PEM)
  --size N                the limit that it advertises and enforces (0: `SIZE` alone, no limit)
  --keyword TEXT          one more line in the EHLO reply (repeatable)
  --hostname NAME  --greeting TEXT     a greeting of 4xx or 5xx closes

How it misbehaves. AT is VERB, VERB#N (only the N-th on a connection) or either with ~TEXT (only lines that hold TEXT);
VERB is a command, CONNECT for the greeting, or EOD for the end of the message data. All are repeatable; the first that fits counts.
  --reply AT=TEXT         say TEXT ("452 4.2.2 Full"; \r\n between the lines of a longer one)
  --slow AT=MS            reply after MS milliseconds
  --garbage AT            reply binary noise
  --endless AT            reply lines without end
  --drop-at AT            close instead of replying
  --drop-after AT         close behind the reply
  --reset-at AT           reset the connection instead of replying
  --drop-in-data N        reset the connection after N octets of message data
  --read-rate N           read N octets a second from each connection (not with STARTTLS)

On SIGUSR1 it prints `counted N messages on N connections`, all since its start.
)";

namespace {

using Error = std::string;

std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
        if (next == 'r' || next == 'n' || next == '\\') {
            result += next == 'r' ? '\r' : next == 'n' ? '\n' : '\\';
            ++i;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::expected<std::uint64_t, Error> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::unexpected("not a number: " + std::string(text));
    return value;
}

/// AT → where the rule applies.
std::expected<SinkRule, Error> rule_at(std::string_view at) {
    SinkRule rule;
    const std::size_t tilde = at.find('~');
    if (tilde != std::string_view::npos) rule.contains = at.substr(tilde + 1);
    at = at.substr(0, tilde);
    const std::size_t hash = at.find('#');
    if (hash != std::string_view::npos) {
        const auto nth = number(at.substr(hash + 1));
        if (!nth) return std::unexpected(nth.error());
        rule.nth = static_cast<unsigned>(*nth);
    }
    rule.verb = at.substr(0, hash);
    if (rule.verb.empty()) return std::unexpected("a verb is missing");
    return rule;
}

std::expected<SinkRule, Error> make_rule(std::string_view option, std::string_view value) {
    const bool has_value = option == "--reply" || option == "--slow";
    const std::size_t equals = has_value ? value.find('=') : std::string_view::npos;
    if (has_value && equals == std::string_view::npos)
        return std::unexpected(std::string(option) + " wants AT=VALUE");
    auto rule = rule_at(value.substr(0, equals));
    if (!rule) return rule;
    if (option == "--reply") rule->reply = unescaped(value.substr(equals + 1));
    if (option == "--slow") {
        const auto delay = number(value.substr(equals + 1));
        if (!delay) return std::unexpected(delay.error());
        rule->delay = std::chrono::milliseconds(*delay);
    }
    rule->garbage = option == "--garbage";
    rule->endless = option == "--endless";
    rule->drop_before = option == "--drop-at" || option == "--reset-at";
    rule->drop_after = option == "--drop-after";
    rule->reset = option == "--reset-at";
    return rule;
}

/// A rule for the same place is completed (`--reply RCPT=… --slow RCPT=…`), not shadowed.
void add_rule(std::vector<SinkRule>& rules, const SinkRule& rule) {
    const auto same = std::ranges::find_if(rules, [&](const SinkRule& other) {
        return other.verb == rule.verb && other.nth == rule.nth && other.contains == rule.contains;
    });
    if (same == rules.end()) {
        rules.push_back(rule);
        return;
    }
    if (rule.reply) same->reply = rule.reply;
    same->delay = std::max(same->delay, rule.delay);
    same->garbage |= rule.garbage;
    same->endless |= rule.endless;
    same->drop_before |= rule.drop_before;
    same->drop_after |= rule.drop_after;
    same->reset |= rule.reset;
}

std::expected<void, Error> set_listen(SinkOptions& options, std::string_view value) {
    const std::size_t colon = value.rfind(':');
    const auto port = number(colon == std::string_view::npos ? "" : value.substr(colon + 1));
    if (!port || *port > 65535) return std::unexpected("--listen wants ADDRESS:PORT");
    options.address = value.substr(0, colon);
    options.port = static_cast<std::uint16_t>(*port);
    return {};
}

bool set_flag(SinkOptions& options, std::string_view name) {
    SinkSettings& settings = options.settings;
    const std::map<std::string_view, std::pair<bool*, bool>> flags = {
        {"--show", {&options.show, true}},
        {"--help", {&options.help, true}},
        {"--no-pipelining", {&settings.pipelining, false}},
        {"--no-chunking", {&settings.chunking, false}},
        {"--no-8bitmime", {&settings.eight_bit_mime, false}},
        {"--no-smtputf8", {&settings.smtputf8, false}},
        {"--no-dsn", {&settings.dsn, false}},
        {"--no-enhancedstatuscodes", {&settings.enhanced_codes, false}},
        {"--helo-only", {&settings.helo_only, true}},
    };
    const auto found = flags.find(name);
    if (found == flags.end()) return false;
    *found->second.first = found->second.second;
    return true;
}

std::expected<void, Error> set_value(SinkOptions& options, std::string_view name, std::string_view value) {
    SinkSettings& settings = options.settings;
    const std::map<std::string_view, std::uint64_t*> numbers = {{"--size", &settings.max_size},
                                                                {"--drop-in-data", &settings.drop_in_data},
                                                                {"--read-rate", &options.read_rate}};
    if (const auto found = numbers.find(name); found != numbers.end()) {
        const auto parsed = number(value);
        if (!parsed) return std::unexpected(parsed.error());
        *found->second = *parsed;
    } else if (name == "--listen") {
        return set_listen(options, value);
    } else if (name == "--store") {
        options.store = value;
    } else if (name == "--wire") {
        options.wire = value;
    } else if (name == "--certificate") {
        options.certificate = value;
    } else if (name == "--key") {
        options.key = value;
    } else if (name == "--keyword") {
        settings.extra_keywords.emplace_back(value);
    } else if (name == "--hostname") {
        settings.hostname = value;
    } else if (name == "--greeting") {
        settings.greeting = unescaped(value);
    } else if (name == "--reply" || name == "--slow" || name == "--garbage" || name == "--endless" ||
               name == "--drop-at" || name == "--drop-after" || name == "--reset-at") {
        const auto rule = make_rule(name, value);
        if (!rule) return std::unexpected(rule.error());
        add_rule(settings.rules, *rule);
    } else {
        return std::unexpected("unknown option " + std::string(name));
    }
    return {};
}

}  // namespace

std::expected<SinkOptions, std::string> parse_sink_options(std::span<char* const> arguments) {
    SinkOptions options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string_view name = arguments[i];
        if (set_flag(options, name)) continue;
        std::string_view value;
        const std::size_t equals = name.find('=');  // --size=5 as well as --size 5
        if (equals != std::string_view::npos) {
            value = name.substr(equals + 1);
            name = name.substr(0, equals);
        } else if (i + 1 < arguments.size()) {
            value = arguments[++i];
        } else {
            return std::unexpected("unknown option or missing value: " + std::string(name));
        }
        if (const auto set = set_value(options, name, value); !set) return std::unexpected(set.error());
    }
    if (options.certificate.empty() != options.key.empty())
        return std::unexpected("--certificate and --key go together");
    if (!options.key.empty() && options.read_rate != 0)
        return std::unexpected("--read-rate and --key do not go together");
    options.settings.starttls = !options.key.empty();
    return options;
}

}  // namespace gatepost::bench

// Each sentence says what to write instead.
#include "conf/limit_contradictions.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "conf/complaints.h"

namespace gatepost::conf {
namespace {

class LimitContradictions : private Complaints {
  public:
    LimitContradictions(const Config& config, const std::set<std::string, std::less<>>& bad,
                        std::vector<Problem>& problems)
        : Complaints(config, bad, problems), config_(config) {}

    void look() {
        for (std::size_t i = 0; i < config_.limits.size(); ++i)
            look_at_limit(item("limits", i), config_.limits[i]);
        look_at_limit_store();
        look_at_recipients("policy.recipients_allow", config_.policy.recipients_allow);
        look_at_recipients("policy.recipients_deny", config_.policy.recipients_deny);
        look_at_denied();
    }

  private:
    void look_at_limit(const std::string& path, const Limit& limit) {
        must_name(path + ".when.listener", limit.when.listener, "listeners", config_.listeners);
        look_at_pattern(path + ".when.user", limit.when.user, "user");
        look_at_pattern(path + ".when.class", limit.when.user_class, "limit class");
        if (is_bad(path + ".count")) return;
        look_at_rates(path, limit);
        if (!is_bad(path + ".per")) {
            look_at_scope(path, limit);
            look_at_prefixes(path, limit);
        }
        look_at_conditions(path, limit);
        if (limit.count == LimitCount::AuthFailures && limit.action == LimitAction::Delay &&
            !is_bad(path + ".action")) {
            complain(path + ".action",
                     "delay contradicts count: auth_failures, there is nothing to wait for; write defer or "
                     "close");
        }
    }

    void look_at_pattern(const std::string& path, const std::string& pattern, std::string_view of) {
        if (pattern.empty() || is_bad(path)) return;
        if (pattern.front() != ' ' && pattern.back() != ' ') return;
        complain(path, ("\"" + pattern + "\" can match no ").append(of) + "; take out the blank at its end");
    }

    void look_at_rates(const std::string& path, const Limit& limit) {
        if (limit.count == LimitCount::Sessions) return;
        const auto look_at = [this](const std::string& key, const Rate& rate) {
            if (rate.has_time() || rate.count == 0 || is_bad(key)) return;
            complain(key, "a rate needs a time, such as " + std::to_string(rate.count) +
                              "/1h; only of sessions a number alone says how many at a time");
        };
        look_at(path + ".rate", limit.rate);
        for (const auto& [name, rate] : limit.classes) look_at(path + ".classes." + name, rate);
    }

    static bool is_auth(LimitCount count) {
        return count == LimitCount::AuthAttempts || count == LimitCount::AuthFailures;
    }

    // What a client has not said yet when the rule is looked at, it cannot be told apart by.
    void look_at_scope(const std::string& path, const Limit& limit) {
        const bool is_of_message = limit.per == LimitPer::Sender || limit.per == LimitPer::SenderDomain ||
                                   limit.per == LimitPer::RecipientDomain || limit.per == LimitPer::Upstream;
        const std::string key = path + ".per";
        if (limit.count == LimitCount::Connections && (is_of_message || limit.per == LimitPer::User)) {
            complain(key,
                     "connections are counted before a client has said anything; write ip, network, listener "
                     "or all (or count: sessions, which may be per: user)");
        } else if (limit.count == LimitCount::Sessions && is_of_message) {
            complain(key, "sessions are counted before any MAIL; write ip, network, user, listener or all");
        } else if (is_auth(limit.count) && is_of_message) {
            complain(key, "AUTH comes before any MAIL; write ip, network, user, listener or all");
        }
    }

    void look_at_prefixes(const std::string& path, const Limit& limit) {
        if (limit.per == LimitPer::Network) return;
        const Limit initial;
        const std::string_view why = "changes nothing here; it belongs to per: network";
        if (limit.ipv4_prefix != initial.ipv4_prefix) refuse(path + ".ipv4_prefix", why);
        if (limit.ipv6_prefix != initial.ipv6_prefix) refuse(path + ".ipv6_prefix", why);
    }

    void look_at_conditions(const std::string& path, const Limit& limit) {
        const LimitWhen& when = limit.when;
        if (limit.count == LimitCount::Connections) {
            const std::string_view why =
                "contradicts count: connections, which are counted before AUTH; write count: sessions";
            if (!when.user.empty()) refuse(path + ".when.user", why);
            if (!when.user_class.empty()) refuse(path + ".when.class", why);
            if (when.authenticated) refuse(path + ".when.authenticated", why);
            if (!limit.classes.empty()) refuse(path + ".classes", why);
            return;
        }
        if (is_auth(limit.count)) {
            const std::string_view why =
                "contradicts count: auth_attempts and auth_failures, the class is known only after AUTH; "
                "write when: {user: PATTERN}";
            if (!when.user_class.empty()) refuse(path + ".when.class", why);
            if (!limit.classes.empty()) refuse(path + ".classes", why);
            if (when.authenticated) {
                refuse(path + ".when.authenticated",
                       "contradicts count: auth_attempts and auth_failures, nobody is authenticated yet; "
                       "take it out");
            }
            return;
        }
        look_at_user_conditions(path, limit);
    }

    void look_at_user_conditions(const std::string& path, const Limit& limit) {
        const LimitWhen& when = limit.when;
        const bool names_user = limit.per == LimitPer::User || !when.user.empty() || !when.user_class.empty();
        if (when.authenticated == false && names_user) {
            refuse(path + ".when.authenticated",
                   "false can never hold together with per: user, when.user or when.class; nobody has a "
                   "name before AUTH: take one of them out");
        }
        if (limit.count == LimitCount::Sessions && when.authenticated == false) {
            refuse(path + ".when.authenticated",
                   "contradicts count: sessions, which go on after AUTH; take it out, or write when: "
                   "{trusted: true} "
                   "for those who need none");
        }
        if (limit.count == LimitCount::Sessions && !limit.classes.empty() && !names_user &&
            when.authenticated != true) {
            refuse(path + ".classes",
                   "without per: user such sessions are counted before AUTH, when nobody has a class; write "
                   "when: {authenticated: true}");
        }
    }

    void refuse(const std::string& path, std::string_view why) {
        if (!is_bad(path)) complain(path, std::string(why));
    }

    // A local part may hold blanks, but only in quotes.
    void look_at_recipients(const std::string& path, const std::vector<std::string>& patterns) {
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            const std::string& pattern = patterns[i];
            const std::string key = item(path, i);
            if (is_bad(key)) continue;
            const std::string nobody = "\"" + pattern + "\" can match no address; ";
            if (pattern.find(' ') != std::string::npos && pattern.find('"') == std::string::npos) {
                complain(key, nobody + "take out the blank, or list two patterns");
            } else if (pattern.ends_with('@')) {
                complain(key, nobody + "write the domain behind the @");
            } else if (pattern.find_first_of("@*") == std::string::npos && !is_postmaster(pattern)) {
                complain(key, nobody + "write \"*@" + pattern + "\" for all of a domain");
            }
        }
    }

    // The one recipient that has no domain (RFC 5321 section 4.1.1.3).
    static bool is_postmaster(std::string_view pattern) {
        constexpr std::string_view kPostmaster = "postmaster";
        return std::ranges::equal(pattern, kPostmaster, {},
                                  [](unsigned char octet) { return std::tolower(octet); });
    }

    void look_at_denied() {
        const std::vector<std::string>& denied = config_.policy.recipients_deny;
        for (std::size_t i = 0; i < denied.size(); ++i) {
            if (denied[i] != "*" && denied[i] != "*@*") continue;
            complain(item("policy.recipients_deny", i),
                     "\"" + denied[i] +
                         "\" denies everybody, nobody could ever send; name those that may be written to in "
                         "recipients_allow");
        }
    }

    void look_at_limit_store() {
        const bool is_redis = config_.limit_store.type == LimitStoreType::Redis;
        if (is_redis && config_.limit_store.url.empty() && !is_bad("limit_store.url")) {
            complain("limit_store.url", "missing; type: redis needs it");
        }
        if (!is_redis && !config_.limit_store.url.empty() && !is_bad("limit_store.url") &&
            !is_bad("limit_store.type")) {
            complain("limit_store.url", "contradicts type: memory");
        }
        for (const char* const key :
             {"limit_store.username", "limit_store.password_file", "limit_store.tls_ca"}) {
            const auto written = config_.settings.find(key);
            if (!is_redis && written != config_.settings.end() && !written->second.text.empty() &&
                !is_bad("limit_store.type"))
                complain(key, "contradicts type: memory");
        }
    }

    const Config& config_;
};

}  // namespace

void check_limit_contradictions(const Config& config, const std::set<std::string, std::less<>>& bad,
                                std::vector<Problem>& problems) {
    LimitContradictions(config, bad, problems).look();
}

}  // namespace gatepost::conf

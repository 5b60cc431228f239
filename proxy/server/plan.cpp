#include "proxy/server/plan.h"

#include <algorithm>
#include <array>
#include <netdb.h>
#include <set>
#include <sstream>
#include <unistd.h>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "conf/check.h"
#include "proxy/server/cpus.h"
#include "proxy/server/deep_check.h"
#include "proxy/server/plan_limits.h"

namespace gatepost::server {
namespace {

using Problems = std::vector<conf::Problem>;

/// A pool and a store of limits answer in their own time; only if they do not, the conversation goes on
/// without.
constexpr std::chrono::seconds kSlack{2};

std::string fully_qualified_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* found = nullptr;
    std::string full = name.data();
    if (::getaddrinfo(name.data(), nullptr, &hints, &found) == 0) {
        if (found->ai_canonname != nullptr &&
            std::string_view(found->ai_canonname).find('.') != std::string_view::npos) {
            full = found->ai_canonname;
        }
        ::freeaddrinfo(found);
    }
    return full;
}

std::vector<net::Cidr> to_cidrs(const std::vector<conf::Network>& networks) {
    std::vector<net::Cidr> cidrs;
    for (const conf::Network& network : networks) {
        if (const auto cidr = net::Cidr::parse(network.text)) cidrs.push_back(*cidr);
    }
    return cidrs;
}

std::string to_text(conf::TlsVersion version) {
    return version == conf::TlsVersion::Tls13 ? "1.3" : "1.2";
}

net::CertificateName to_net(conf::ExternalName name) {
    switch (name) {
        case conf::ExternalName::Email: return net::CertificateName::kEmail;
        case conf::ExternalName::Uri: return net::CertificateName::kUri;
        case conf::ExternalName::Cn: return net::CertificateName::kCommonName;
    }
    return net::CertificateName::kEmail;
}

policy::Guessing guessing(const conf::Guessing& rules) {
    const auto failures = [](const std::optional<conf::Rate>& rate) {
        using Failures = policy::GuessingSettings::Failures;
        return rate ? std::optional(Failures{.count = rate->count, .per = rate->per}) : std::nullopt;
    };
    policy::GuessingSettings settings;
    settings.per_ip = failures(rules.per_ip);
    settings.per_network = failures(rules.per_network);
    settings.per_user_and_network = failures(rules.per_user_and_network);
    settings.per_user_delay = rules.per_user_delay;
    return policy::Guessing(settings);
}

std::vector<session::UpstreamSettings> upstream_settings(const conf::Config& config) {
    std::vector<session::UpstreamSettings> all;
    for (const conf::Upstream& upstream : config.upstreams) {
        all.push_back({.name = upstream.name,
                       .connect_timeout = upstream.pool.wait_timeout + upstream.connect_timeout + kSlack,
                       .reply_timeout = upstream.reply_timeout,
                       .mail_auth = upstream.mail_auth});
    }
    return all;
}

policy::Routes to_routes(const conf::Config& config) {
    std::vector<policy::Route> routes;
    for (const conf::Route& route : config.routes) {
        const auto upstream = std::ranges::find(config.upstreams, route.upstream, &conf::Upstream::name);
        routes.push_back({.user = route.user,
                          .sender_domain = route.sender_domain,
                          .listener = route.listener,
                          .upstream = static_cast<std::size_t>(upstream - config.upstreams.begin())});
    }
    return policy::Routes(std::move(routes));
}

/// The default, what routes lead to, and, for whoever may have a record, what no route leads to: such an
/// upstream is there for records to name.
std::vector<std::size_t> reaches(const conf::Config& config, const session::Settings& session) {
    std::set<std::size_t> reached{0};
    for (const std::size_t upstream : session.routes.reachable_from(session.listener))
        reached.insert(upstream);
    std::set<std::string> routed{config.upstreams.front().name};
    for (const conf::Route& route : config.routes) routed.insert(route.upstream);
    for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
        if (!session.mechanisms.empty() && !routed.contains(config.upstreams[i].name)) reached.insert(i);
    }
    return {reached.begin(), reached.end()};
}

session::Settings session_settings(const conf::Config& config, const conf::Listener& listener,
                                   const std::string& hostname) {
    session::Settings settings;
    settings.hostname = hostname;
    settings.offers_tls = listener.tls == conf::ListenerTls::StartTls;
    settings.require_tls = listener.require_tls && listener.tls != conf::ListenerTls::None;
    // require_auth: false lets in the trusted networks, and nobody else.
    settings.require_auth = !listener.relay_for_anybody;
    settings.mechanisms = config.auth.mechanisms;
    settings.plaintext_without_tls = config.auth.plaintext_without_tls;
    settings.legacy_auth_line = config.auth.legacy_auth_line;
    settings.says_disabled = config.auth.disabled_reply == 525;
    settings.guessing = guessing(config.auth.guessing);
    settings.max_attempts = static_cast<int>(config.auth.max_attempts);
    settings.max_message_size = config.session.max_message_size;
    settings.max_recipients = config.session.max_recipients;
    settings.max_errors = static_cast<int>(config.session.max_errors);
    settings.max_line_length = config.session.max_line_length;
    settings.limits = to_limits(config);
    plan_policy(config.policy, settings);
    settings.command_timeout = config.session.command_timeout;
    settings.auth_timeout = config.session.auth_timeout;
    settings.data_timeout = config.session.data_timeout;
    settings.failure_delay = config.auth.failure_delay;
    settings.handshake_timeout = config.tls.handshake_timeout;
    settings.listener = listener.name;
    settings.routes = to_routes(config);
    settings.upstreams = upstream_settings(config);
    return settings;
}

net::TlsSettings tls_settings(const conf::Config& config, const conf::Listener& listener,
                              std::shared_ptr<const net::TicketKeys> ticket_keys) {
    net::TlsSettings settings;
    for (const conf::Certificate& pair : config.tls.certificates) {
        settings.certificates.push_back({pair.certificate, pair.key});
    }
    settings.min_version = to_text(listener.tls_options.min_version.value_or(config.tls.min_version));
    settings.ciphers = listener.tls_options.ciphers;
    settings.client_ca =
        listener.tls_options.client_ca.empty() ? config.tls.client_ca : listener.tls_options.client_ca;
    settings.ticket_keys = std::move(ticket_keys);
    return settings;
}

UpstreamPlan upstream_plan(const std::string& name, const Plan* before) {
    if (before != nullptr) {
        const auto same = std::ranges::find(before->upstreams, name, &UpstreamPlan::name);
        if (same != before->upstreams.end())
            return {.name = name, .group = same->group, .totals = same->totals};
    }
    return {.name = name,
            .group = std::make_shared<upstream::PoolGroup>(),
            .totals = std::make_shared<upstream::KnownTotals>()};
}

void plan_upstreams(Plan& plan, const Plan* before, Problems& problems) {
    const conf::Config& config = *plan.config;
    std::size_t first_endpoint = 0;
    for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
        UpstreamPlan& planned = plan.upstreams.emplace_back(upstream_plan(config.upstreams[i].name, before));
        planned.index = observe::UpstreamIndex{static_cast<std::uint32_t>(i)};
        planned.first_endpoint = first_endpoint;
        first_endpoint += config.upstreams[i].servers.size();
        const std::string path = "upstreams[" + std::to_string(i) + "].";
        const std::string& source = config.upstreams[i].source_address;
        if (!source.empty() && !net::SocketAddress::from_ip(source, 0)) {
            problems.push_back(problem_at(config, path + "source_address",
                                          "\"" + source + "\" is no IPv4 or IPv6 address (without a port)"));
        } else if (auto opener = make_opener_settings(config.upstreams[i], plan.hostname); !opener) {
            problems.push_back(problem_at(config, path + "tls", opener.error().message));
        } else {
            planned.opener = std::move(*opener);
        }
    }
}

/// Keys of this process alone stay as they are over a reload: its clients go on to resume their sessions.
std::shared_ptr<const net::TicketKeys> load_ticket_keys(const conf::Config& config, const Plan* before,
                                                        Problems& problems) {
    const std::string& path = config.tls.ticket_keys;
    if (before != nullptr && path.empty() && before->config->tls.ticket_keys.empty())
        return before->ticket_keys;
    auto keys = path.empty() ? net::TicketKeys::random() : net::TicketKeys::load(path);
    if (keys) return *keys;
    problems.push_back(problem_at(config, "tls.ticket_keys", keys.error().message));
    return nullptr;
}

std::shared_ptr<ConnectionSlots> slots_for(const conf::Listener& listener, const Plan* before) {
    if (before != nullptr) {
        const auto same = std::ranges::find(before->listeners, listener.name, &ListenerPlan::name);
        if (same != before->listeners.end()) return same->slots;
    }
    return std::make_shared<ConnectionSlots>(listener.max_connections);
}

/// SHA-256, as far as people compare it.
std::string hash_of(const conf::Config& config) {
    constexpr std::size_t kShown = 8;
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::ostringstream text;
    conf::dump(config, text);
    const std::string dumped = text.str();
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    if (EVP_Digest(dumped.data(), dumped.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
        return "unknown";
    std::string hash;
    for (std::size_t i = 0; i < kShown; ++i) {
        hash += kDigits[digest[i] >> 4];
        hash += kDigits[digest[i] & 15];
    }
    return hash;
}

}  // namespace

bool ListenerPlan::is_trusted(const net::SocketAddress& client) const {
    return std::ranges::any_of(trusted, [&](const net::Cidr& network) { return network.contains(client); });
}

bool ListenerPlan::must_speak_proxy(const net::SocketAddress& peer) const {
    return std::ranges::any_of(proxies, [&](const net::Cidr& network) { return network.contains(peer); });
}

std::expected<std::shared_ptr<const Plan>, Problems> make_plan(std::shared_ptr<const conf::Config> config,
                                                               const Plan* before) {
    Problems problems;
    auto plan = std::make_shared<Plan>();
    plan->config = config;
    plan->started = before != nullptr ? before->started : config;
    plan->hash = hash_of(*config);
    plan->hostname = config->hostname.empty() ? fully_qualified_name() : config->hostname;
    plan->workers = before != nullptr ? before->workers : config->workers.value_or(usable_cpus());
    plan->ticket_keys = load_ticket_keys(*config, before, problems);

    for (std::size_t i = 0; i < config->listeners.size(); ++i) {
        const conf::Listener& listener = config->listeners[i];
        ListenerPlan planned;
        planned.index = observe::ListenerIndex{static_cast<std::uint32_t>(i)};
        planned.name = listener.name;
        planned.address = listener.address.text;
        planned.tls = listener.tls;
        planned.session = session_settings(*config, listener, plan->hostname);
        planned.session.limits_timeout = plan->started->limit_store.timeout + kSlack;
        planned.reaches = reaches(*config, planned.session);
        planned.trusted = to_cidrs(listener.trusted_networks);
        planned.proxies = to_cidrs(listener.proxy_protocol_from);
        planned.max_connections = listener.max_connections;
        planned.slots = slots_for(listener, before);
        planned.certificate_name = to_net(config->auth.external_name);
        planned.needs_binding = std::ranges::any_of(
            config->auth.mechanisms, [](const std::string& name) { return name.ends_with("-PLUS"); });
        if (listener.tls != conf::ListenerTls::None) {
            planned.tls_settings = tls_settings(*config, listener, plan->ticket_keys);
            const auto context = net::TlsContext::make(planned.tls_settings);
            if (!context) {
                const conf::Problem problem =
                    problem_at(*config, "tls.certificates", context.error().message);
                if (std::ranges::find(problems, problem) == problems.end()) problems.push_back(problem);
            } else if (plan->certificates.empty()) {
                plan->certificates = (*context)->certificates();
            }
        }
        plan->listeners.push_back(std::move(planned));
    }
    plan_upstreams(*plan, before, problems);
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return plan;
}

observe::LabelSets label_sets(const Plan& plan) {
    const conf::Config& config = *plan.config;
    observe::LabelSets labels;
    for (const ListenerPlan& listener : plan.listeners) labels.listeners.push_back(listener.name);
    labels.mechanisms = config.auth.mechanisms;
    labels.backends = config.auth.backends;
    for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
        labels.upstreams.push_back(config.upstreams[i].name);
        for (const conf::Endpoint& server : config.upstreams[i].servers) {
            labels.endpoints.push_back({observe::UpstreamIndex{static_cast<std::uint32_t>(i)}, server.text});
        }
    }
    for (const net::CertificateFacts& certificate : plan.certificates)
        labels.certificates.push_back(certificate.path);
    for (const conf::Limit& limit : config.limits) labels.limits.push_back(limit.name);
    if (plan.started->limit_store.type == conf::LimitStoreType::Redis) labels.limit_store = "redis";
    labels.workers = plan.workers;
    labels.version = GATEPOST_VERSION;
    labels.revision = "unknown";
    labels.tls_library = OpenSSL_version(OPENSSL_VERSION_STRING);
    return labels;
}

}  // namespace gatepost::server

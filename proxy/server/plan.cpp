#include "proxy/server/plan.h"

#include <algorithm>
#include <array>
#include <netdb.h>
#include <unistd.h>
#include <utility>

#include <openssl/crypto.h>

#include "proxy/server/cpus.h"
#include "proxy/server/deep_check.h"

namespace gatepost::server {
namespace {

using Problems = std::vector<conf::Problem>;

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

smtp::StartTls start_tls(conf::UpstreamTls tls) {
    switch (tls) {
        case conf::UpstreamTls::Opportunistic: return smtp::StartTls::kIfOffered;
        case conf::UpstreamTls::Required: return smtp::StartTls::kRequired;
        case conf::UpstreamTls::None:
        case conf::UpstreamTls::Implicit: break;
    }
    return smtp::StartTls::kNever;
}

/// Who would go on in the clear has nothing to gain from a certificate that is right.
net::TlsClientSettings upstream_tls(const conf::Upstream& upstream) {
    return {.ca = upstream.tls_ca,
            .verifies = upstream.tls_verify && upstream.tls != conf::UpstreamTls::Opportunistic,
            .own = {upstream.tls_client.certificate, upstream.tls_client.key}};
}

session::Settings session_settings(const conf::Config& config, const conf::Listener& listener,
                                   const std::string& hostname) {
    const conf::Upstream& upstream = config.upstreams.front();
    session::Settings settings;
    settings.hostname = hostname;
    settings.offers_tls = listener.tls == conf::ListenerTls::StartTls;
    settings.require_tls = listener.require_tls && listener.tls != conf::ListenerTls::None;
    settings.require_auth = listener.require_auth;
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
    settings.received_header = config.policy.received_header;
    settings.command_timeout = config.session.command_timeout;
    settings.auth_timeout = config.session.auth_timeout;
    settings.data_timeout = config.session.data_timeout;
    settings.failure_delay = config.auth.failure_delay;
    settings.handshake_timeout = config.tls.handshake_timeout;
    settings.upstream_start_tls = start_tls(upstream.tls);
    settings.connect_timeout = upstream.connect_timeout;
    settings.reply_timeout = upstream.reply_timeout;
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

std::shared_ptr<const net::TicketKeys> load_ticket_keys(const conf::Config& config, Problems& problems) {
    const std::string& path = config.tls.ticket_keys;
    auto keys = path.empty() ? net::TicketKeys::random() : net::TicketKeys::load(path);
    if (keys) return *keys;
    problems.push_back(problem_at(config, "tls.ticket_keys", keys.error().message));
    return nullptr;
}

}  // namespace

bool ListenerPlan::is_trusted(const net::SocketAddress& client) const {
    return std::ranges::any_of(trusted, [&](const net::Cidr& network) { return network.contains(client); });
}

bool ListenerPlan::must_speak_proxy(const net::SocketAddress& peer) const {
    return std::ranges::any_of(proxies, [&](const net::Cidr& network) { return network.contains(peer); });
}

std::expected<std::shared_ptr<const Plan>, Problems> make_plan(std::shared_ptr<const conf::Config> config) {
    Problems problems;
    auto plan = std::make_shared<Plan>();
    plan->config = config;
    plan->hostname = config->hostname.empty() ? fully_qualified_name() : config->hostname;
    plan->workers = config->workers.value_or(usable_cpus());
    const std::shared_ptr<const net::TicketKeys> ticket_keys = load_ticket_keys(*config, problems);

    for (std::size_t i = 0; i < config->listeners.size(); ++i) {
        const conf::Listener& listener = config->listeners[i];
        ListenerPlan planned;
        planned.index = observe::ListenerIndex{static_cast<std::uint32_t>(i)};
        planned.name = listener.name;
        planned.address = listener.address.text;
        planned.tls = listener.tls;
        planned.session = session_settings(*config, listener, plan->hostname);
        planned.trusted = to_cidrs(listener.trusted_networks);
        planned.proxies = to_cidrs(listener.proxy_protocol_from);
        planned.max_connections = listener.max_connections;
        planned.slots = std::make_unique<ConnectionSlots>(listener.max_connections);
        planned.certificate_name = to_net(config->auth.external_name);
        planned.needs_binding = std::ranges::any_of(
            config->auth.mechanisms, [](const std::string& name) { return name.ends_with("-PLUS"); });
        if (listener.tls != conf::ListenerTls::None) {
            planned.tls_settings = tls_settings(*config, listener, ticket_keys);
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
    if (const Result<upstream::Security> security = make_security(*plan); !security)
        problems.push_back(problem_at(*config, "upstreams[0].tls", security.error().message));
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return plan;
}

Result<upstream::Security> make_security(const Plan& plan) {
    const conf::Upstream& upstream = plan.config->upstreams.front();
    upstream::Security security{.is_implicit = upstream.tls == conf::UpstreamTls::Implicit,
                                .start_tls = start_tls(upstream.tls)};
    if (upstream.tls == conf::UpstreamTls::None) return security;
    auto context = net::TlsClientContext::make(upstream_tls(upstream));
    if (!context) return std::unexpected(context.error());
    security.context = std::move(*context);
    return security;
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
    labels.version = GATEPOST_VERSION;
    labels.revision = "unknown";
    labels.tls_library = OpenSSL_version(OPENSSL_VERSION_STRING);
    return labels;
}

}  // namespace gatepost::server

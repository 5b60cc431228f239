// The upstreams of the configuration as settings of their pools and openers.
#include "auth/check/upstream_credentials.h"
#include "proxy/server/plan.h"

namespace gatepost::server {
namespace {

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

upstream::Balance to_balance(conf::Balance balance) {
    switch (balance) {
        case conf::Balance::LeastConnections: break;
        case conf::Balance::RoundRobin: return upstream::Balance::kRoundRobin;
        case conf::Balance::FirstHealthy: return upstream::Balance::kFirstHealthy;
    }
    return upstream::Balance::kLeastConnections;
}

smtp::OpeningSettings::Xclient xclient_of(conf::UpstreamIdentity identity) {
    using Xclient = smtp::OpeningSettings::Xclient;
    if (identity == conf::UpstreamIdentity::Xclient) return Xclient::kClient;
    return identity == conf::UpstreamIdentity::XclientLogin ? Xclient::kLogin : Xclient::kNone;
}

}  // namespace

upstream::Identity to_identity(conf::UpstreamIdentity identity) {
    switch (identity) {
        case conf::UpstreamIdentity::None: break;
        case conf::UpstreamIdentity::Xclient: return upstream::Identity::kXclient;
        case conf::UpstreamIdentity::XclientLogin: return upstream::Identity::kXclientLogin;
        case conf::UpstreamIdentity::ProxyV1: return upstream::Identity::kProxyV1;
        case conf::UpstreamIdentity::ProxyV2: return upstream::Identity::kProxyV2;
    }
    return upstream::Identity::kNone;
}

Result<upstream::OpenerSettings> make_opener_settings(const conf::Upstream& config,
                                                      const std::string& hostname) {
    upstream::OpenerSettings settings{.opening = {.our_name = hostname,
                                                  .start_tls = start_tls(config.tls),
                                                  .is_tls = config.tls == conf::UpstreamTls::Implicit,
                                                  .xclient = xclient_of(config.identity),
                                                  .needs_auth_parameter = config.mail_auth},
                                      .source = net::SocketAddress::from_ip(config.source_address, 0)};
    if (!config.username.empty() && config.password) {
        settings.opening.auth =
            std::make_shared<auth::UpstreamCredentials>(config.username, config.password->clone());
    }
    if (config.tls == conf::UpstreamTls::None) return settings;
    auto context = net::TlsClientContext::make(upstream_tls(config));
    if (!context) return std::unexpected(context.error());
    settings.tls = std::move(*context);
    return settings;
}

upstream::PoolSettings make_pool_settings(const Plan& plan, std::size_t upstream, unsigned worker) {
    const conf::Upstream& config = plan.config->upstreams[upstream];
    // Shares that add up, the bigger ones first.
    const std::uint64_t rest = config.pool.min_idle % plan.workers;
    return upstream::PoolSettings{.opener = plan.upstreams[upstream].opener,
                                  .identity = to_identity(config.identity),
                                  .balance = to_balance(config.balance),
                                  .max_connections = config.pool.max_connections,
                                  .max_idle = config.pool.max_idle,
                                  .min_idle = config.pool.min_idle / plan.workers + (worker < rest ? 1 : 0),
                                  .idle_timeout = config.pool.idle_timeout,
                                  .max_messages = config.pool.max_messages,
                                  .max_age = config.pool.max_age,
                                  .wait_timeout = config.pool.wait_timeout,
                                  .connect_timeout = config.connect_timeout};
}

}  // namespace gatepost::server

// One function for each group of keys that can contradict each other.
#include "conf/contradictions.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "conf/canonical.h"
#include "conf/complaints.h"
#include "conf/everybody.h"
#include "conf/limit_contradictions.h"
#include "conf/units.h"

namespace gatepost::conf {
namespace {

class Contradictions : private Complaints {
  public:
    Contradictions(Config& config, const std::set<std::string, std::less<>>& bad,
                   std::vector<Problem>& problems)
        : Complaints(config, bad, problems), config_(config) {}

    void look() {
        for (std::size_t i = 0; i < config_.listeners.size(); ++i)
            look_at_listener(item("listeners", i), config_.listeners[i]);
        look_at_addresses();
        look_at_names();
        look_at_certificates();
        look_at_auth();
        look_at_secrets();
        look_at_upstreams();
        look_at_routes();
        look_at_admin_socket();
    }

  private:
    void look_at_listener(const std::string& path, Listener& listener) {
        if (listener.tls == ListenerTls::None && !is_bad(path + ".tls")) {
            if (listener.require_tls && config_.is_written(path + ".require_tls")) {
                complain(path + ".require_tls",
                         "true contradicts tls: none; no client could ever do anything");
            }
            listener.require_tls = false;
            if (const auto setting = config_.settings.find(path + ".require_tls");
                setting != config_.settings.end()) {
                setting->second.text = "false";
            }
        }
        look_at_relaying(path, listener);
    }

    // Whoever may send without AUTH must be named, or said to be everybody in so many words.
    void look_at_relaying(const std::string& path, const Listener& listener) {
        const std::string networks = path + ".trusted_networks";
        if (is_bad(path + ".require_auth") || is_bad(path + ".relay_for_anybody")) return;
        const bool trusts_everybody = is_everybody(listener.trusted_networks);
        if (listener.relay_for_anybody) {
            if (!listener.require_auth || trusts_everybody || is_bad(networks)) return;
            complain(path + ".relay_for_anybody", "true contradicts require_auth: true");
        } else if (!listener.require_auth && listener.trusted_networks.empty() && !is_bad(networks)) {
            complain(path + ".require_auth",
                     "false without trusted_networks would be an open relay; name the networks that may send "
                     "without AUTH, or write relay_for_anybody: true if it is to be one");
        } else if (!listener.trusted_networks.empty() && is_everybody(listener.proxy_protocol_from)) {
            complain(
                path + ".proxy_protocol_from",
                "everybody could say in a PROXY header to come from trusted_networks: that would be an open "
                "relay; name the load balancers alone");
        } else if (trusts_everybody) {
            complain_of_everybody(networks, listener.trusted_networks);
        }
    }

    void complain_of_everybody(const std::string& path, const std::vector<Network>& networks) {
        constexpr std::string_view kOpenRelay =
            ": that would be an open relay; write relay_for_anybody: true if it is to be one";
        bool told = false;
        for (std::size_t i = 0; i < networks.size(); ++i) {
            if (!is_everybody({networks[i]})) continue;
            complain(item(path, i), (networks[i].text + " is everybody").append(kOpenRelay));
            told = true;
        }
        if (!told) complain(path, std::string("together these are everybody").append(kOpenRelay));
    }

    // Two listening sockets of the same family on one port: the same address, or one of them on all
    // addresses; "*" is on those of both families.
    static bool collide(const Endpoint& one, const Endpoint& other) {
        if (one.port != other.port) return false;
        if (one.host == kEveryAddress || other.host == kEveryAddress) return true;
        const auto is_wildcard = [](const Endpoint& endpoint) {
            return endpoint.host == "0.0.0.0" || endpoint.text.starts_with("[::]:");
        };
        const bool same_family = one.text.starts_with('[') == other.text.starts_with('[');
        return same_family && (one.text == other.text || is_wildcard(one) || is_wildcard(other));
    }

    void look_at_addresses() {
        for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
            const Endpoint& address = config_.listeners[i].address;
            if (address.text.empty()) continue;
            for (std::size_t j = 0; j < i; ++j) {
                if (!collide(address, config_.listeners[j].address)) continue;
                complain(item("listeners", i) + ".address", address.text + " is taken by " +
                                                                item("listeners", j) + " (" +
                                                                config_.listeners[j].address.text + ")");
                break;
            }
            if (config_.admin.address && collide(address, *config_.admin.address) &&
                !is_bad("admin.address")) {
                complain(
                    config_.is_written("admin.address") ? "admin.address" : item("listeners", i) + ".address",
                    "admin.address " + config_.admin.address->text + " and " + item("listeners", i) +
                        ".address " + address.text + " are the same port");
            }
        }
    }

    template <typename T>
    void look_at_names_of(const std::string& list, const std::vector<T>& items) {
        std::map<std::string_view, std::size_t> seen;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (items[i].name.empty()) continue;
            const auto [first, is_new] = seen.emplace(items[i].name, i);
            if (!is_new) {
                complain(item(list, i) + ".name", "\"" + items[i].name + "\" is the name of " +
                                                      item(list, first->second) + " already");
            }
        }
    }

    void look_at_names() {
        look_at_names_of("listeners", config_.listeners);
        look_at_names_of("upstreams", config_.upstreams);
        look_at_names_of("limits", config_.limits);
    }

    void look_at_certificates() {
        if (!config_.tls.certificates.empty() || is_bad("tls.certificates")) return;
        for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
            const std::string path = item("listeners", i) + ".tls";
            if (config_.listeners[i].tls == ListenerTls::None || is_bad(path)) continue;
            complain("tls.certificates", "missing; " + item("listeners", i) + " has TLS and needs one");
            return;
        }
    }

    void look_at_auth() {
        Auth& auth = config_.auth;
        const bool is_required = std::ranges::any_of(config_.listeners, &Listener::require_auth);
        // Nobody logs in and nothing is said about it: then the default [local] names nothing.
        if (!is_required && config_.backends.empty() && !config_.is_written("auth.backends")) {
            auth.backends.clear();
            config_.settings.erase("auth.backends[0]");
        }
        if ((is_bad("auth.backends") || is_bad("backends")) && auth.backends.empty()) return;
        if (is_required && auth.backends.empty()) {
            complain("auth.backends", "[] contradicts require_auth: nobody could ever log in");
        }
        if (is_required && auth.mechanisms.empty() && !is_bad("auth.mechanisms")) {
            complain("auth.mechanisms", "[] contradicts require_auth: nobody could ever log in");
        }
        for (std::size_t i = 0; i < auth.backends.size(); ++i)
            look_at_backend(item("auth.backends", i), auth.backends[i], i);
    }

    void look_at_backend(const std::string& path, const std::string& name, std::size_t index) {
        if (is_bad(path) || is_bad("backends." + name)) return;
        const auto found = config_.backends.find(name);
        if (found == config_.backends.end()) {
            complain(path, "\"" + name + "\" is not a name under `backends`" + meant_backend(name));
            return;
        }
        const auto* const sasl = std::get_if<SaslBackend>(&found->second);
        const bool is_last = index + 1 == config_.auth.backends.size();
        if (sasl != nullptr && sasl->method == SaslMethod::Saslauthd && !is_last) {
            complain(path,
                     "\"" + name +
                         "\" must be the last: saslauthd cannot tell an unknown user from a wrong password");
        }
        if (sasl != nullptr && sasl->method == SaslMethod::Auxprop) look_at_auxprop(path, *sasl, index);
    }

    void look_at_auxprop(const std::string& path, const SaslBackend& sasl, std::size_t index) {
        if (sasl.auxprop_plugin == AuxpropPlugin::Sasldb) return;
        for (std::size_t i = 0; i < index; ++i) {
            const auto found = config_.backends.find(config_.auth.backends[i]);
            if (found == config_.backends.end()) continue;
            const auto* const other = std::get_if<SaslBackend>(&found->second);
            if (other == nullptr || other->method != SaslMethod::Auxprop ||
                other->auxprop_plugin != sasl.auxprop_plugin)
                continue;
            complain(path,
                     "\"" + found->first +
                         "\" uses the same plugin of Cyrus SASL, which reads its options once a process");
            return;
        }
    }

    [[nodiscard]] std::string meant_backend(const std::string& name) const {
        std::vector<std::string_view> names;
        for (const auto& [known, backend] : config_.backends) names.push_back(known);
        const auto meant = nearest(name, names);
        return meant ? "; did you mean `" + std::string(*meant) + "`?" : "";
    }

    void look_at_secrets() {
        for (const auto& [name, backend] : config_.backends) look_at_password("backends." + name);
        for (std::size_t i = 0; i < config_.upstreams.size(); ++i) look_at_password(item("upstreams", i));
    }

    void look_at_password(const std::string& path) {
        const auto is_given = [this](const std::string& key) {
            const auto found = config_.settings.find(key);
            return found != config_.settings.end() && !found->second.text.empty();
        };
        if (is_given(path + ".password") && is_given(path + ".password_file")) {
            complain(path + ".password_file", "contradicts password; write one of the two");
        }
    }

    void look_at_upstreams() {
        for (std::size_t i = 0; i < config_.upstreams.size(); ++i) {
            const std::string path = item("upstreams", i);
            const Upstream& upstream = config_.upstreams[i];
            if (upstream.tls_client.certificate.empty() != upstream.tls_client.key.empty()) {
                complain(path + ".tls_client", "certificate and key belong together");
            }
            const bool verifies = upstream.tls_verify && (upstream.tls == UpstreamTls::Required ||
                                                          upstream.tls == UpstreamTls::Implicit);
            if (verifies && std::ranges::any_of(upstream.servers, &Endpoint::is_unix)) {
                complain(
                    path + ".tls_verify",
                    "a unix socket has no name that a certificate could be for: it needs tls_verify: false");
            }
            look_at_identity(path, upstream);
            if (upstream.pool.min_idle > upstream.pool.max_idle)
                complain(path + ".pool.min_idle", "more than max_idle");
            if (upstream.pool.max_idle > upstream.pool.max_connections) {
                complain(path + ".pool.max_idle", "more than max_connections");
            }
        }
    }

    void look_at_identity(const std::string& path, const Upstream& upstream) {
        const bool has_password = upstream.password && !upstream.password->empty();
        if (!upstream.username.empty() && !has_password && !is_bad(path + ".password") &&
            !is_bad(path + ".password_file"))
            complain(path + ".username", "without a password; write password_file too");
        if (upstream.username.empty() && has_password && !is_bad(path + ".username"))
            complain(path + ".username", "missing; a password is given");
        const bool is_proxy =
            upstream.identity == UpstreamIdentity::ProxyV1 || upstream.identity == UpstreamIdentity::ProxyV2;
        if (is_proxy && upstream.pool.min_idle > 0) {
            complain(
                path + ".pool.min_idle",
                "connections cannot be opened in advance with this identity: each begins with its client's "
                "address");
        }
    }

    void look_at_routes() {
        for (std::size_t i = 0; i < config_.routes.size(); ++i) {
            const Route& route = config_.routes[i];
            const std::string path = item("routes", i);
            must_name(path + ".upstream", route.upstream, "upstreams", config_.upstreams);
            must_name(path + ".listener", route.listener, "listeners", config_.listeners);
        }
    }

    void look_at_admin_socket() {
        constexpr std::size_t kLongest = 107;  // sun_path with its NUL
        if (config_.admin.socket.size() <= kLongest || is_bad("admin.socket")) return;
        complain("admin.socket", "the path of a unix socket has at most 107 octets; write a shorter one");
    }

    Config& config_;
};

}  // namespace

void check_contradictions(Config& config, const std::set<std::string, std::less<>>& bad,
                          std::vector<Problem>& problems) {
    Contradictions(config, bad, problems).look();
    check_limit_contradictions(config, bad, problems);
}

}  // namespace gatepost::conf

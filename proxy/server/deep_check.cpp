#include "proxy/server/deep_check.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "backends/file/file_store.h"
#include "proxy/net/tls_context.h"
#include "proxy/server/auxprop_backend.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/privileges.h"
#include "proxy/server/redis_backend.h"

namespace gatepost::server {
namespace {

class DeepCheck {
  public:
    explicit DeepCheck(const conf::Config& config) : config_(config) {}

    std::vector<conf::Problem> look() {
        if (!config_.run_as.empty()) look_at_run_as();
        look_at_certificates();
        look_at_client_cas();
        look_at_ticket_keys();
        look_at_ciphers();
        for (const auto& [name, backend] : config_.backends) {
            if (std::ranges::find(config_.auth.backends, name) == config_.auth.backends.end()) continue;
            const auto* const file = std::get_if<conf::FileBackend>(&backend);
            if (file != nullptr && !file->path.empty()) look_at_users(name, file->path);
            const auto* const redis = std::get_if<conf::RedisBackend>(&backend);
            if (redis != nullptr) look_at_redis(name, *redis);
            const auto* const sasl = std::get_if<conf::SaslBackend>(&backend);
            if (sasl != nullptr && sasl->method == conf::SaslMethod::Auxprop) look_at_auxprop(name, *sasl);
        }
        for (const RedisProblem& problem : limit_store_problems(config_.limit_store))
            complain("limit_store." + problem.key, problem.message);
        return std::move(problems_);
    }

  private:
    static std::string item(std::string_view path, std::size_t index) {
        return std::string(path) + "[" + std::to_string(index) + "]";
    }

    void complain(std::string_view path, std::string_view message) {
        problems_.push_back(problem_at(config_, path, message));
    }

    void look_at_run_as() {
        if (const auto account = find_run_as(config_.run_as); !account)
            complain("run_as", account.error().message);
    }

    /// Each pair by itself; if all are good, all together, since two can be in each other's way.
    void look_at_certificates() {
        net::TlsSettings all;
        for (std::size_t i = 0; i < config_.tls.certificates.size(); ++i) {
            const conf::Certificate& pair = config_.tls.certificates[i];
            if (pair.certificate.empty() || pair.key.empty()) continue;
            net::TlsSettings one;
            one.certificates.push_back({pair.certificate, pair.key});
            all.certificates.push_back(one.certificates.front());
            if (const auto context = net::TlsContext::make(one); !context)
                complain(item("tls.certificates", i), context.error().message);
        }
        if (!problems_.empty() || all.certificates.empty()) return;
        if (const auto context = net::TlsContext::make(all); !context)
            complain("tls.certificates", context.error().message);
    }

    void look_at_client_ca(const std::string& path, const std::string& bundle) {
        if (bundle.empty()) return;
        if (const auto usable = net::check_client_ca(bundle); !usable) complain(path, usable.error().message);
    }

    void look_at_client_cas() {
        look_at_client_ca("tls.client_ca", config_.tls.client_ca);
        for (std::size_t i = 0; i < config_.listeners.size(); ++i)
            look_at_client_ca(item("listeners", i) + ".tls_options.client_ca",
                              config_.listeners[i].tls_options.client_ca);
    }

    void look_at_ticket_keys() {
        const std::string& path = config_.tls.ticket_keys;
        if (path.empty()) return;
        if (const auto keys = net::TicketKeys::load(path); !keys)
            complain("tls.ticket_keys", keys.error().message);
    }

    void look_at_ciphers() {
        for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
            const std::string& ciphers = config_.listeners[i].tls_options.ciphers;
            if (ciphers.empty()) continue;
            if (const auto usable = net::check_ciphers(ciphers); !usable)
                complain(item("listeners", i) + ".tls_options.ciphers", usable.error().message);
        }
    }

    void look_at_users(const std::string& name, const std::string& path) {
        const auto loaded = backends::FileStore(path).reload();
        if (loaded) return;
        if (!loaded.error().message.empty()) complain("backends." + name + ".path", loaded.error().message);
        for (const backends::LineProblem& problem : loaded.error().problems)
            problems_.push_back({path, problem.line, 1, problem.message});
    }

    void look_at_redis(const std::string& name, const conf::RedisBackend& redis) {
        for (const RedisProblem& problem : redis_problems(redis))
            complain("backends." + name + "." + problem.key, problem.message);
    }

    void look_at_auxprop(const std::string& name, const conf::SaslBackend& sasl) {
        for (const AuxpropProblem& problem : auxprop_problems(sasl))
            complain("backends." + name + "." + problem.key, problem.message);
    }

    const conf::Config& config_;
    std::vector<conf::Problem> problems_;
};

}  // namespace

std::vector<conf::Problem> deep_problems(const conf::Config& config) {
    return DeepCheck(config).look();
}

conf::Problem problem_at(const conf::Config& config, std::string_view path, std::string_view message) {
    const conf::Setting* const setting = config.nearest_written(path);
    return {.file = config.file,
            .line = setting == nullptr ? 1 : setting->line,
            .column = setting == nullptr ? 1 : setting->column,
            .message = std::string(path).append(": ").append(message)};
}

}  // namespace gatepost::server

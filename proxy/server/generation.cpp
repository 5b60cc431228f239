#include "proxy/server/generation.h"

#include <algorithm>
#include <utility>

namespace gatepost::server {

Generation::Generation(const Process& process, std::uint64_t number, std::shared_ptr<const Plan> plan,
                       std::shared_ptr<observe::MetricsRegistry> registry)
    : process_(process),
      number_(number),
      plan_(std::move(plan)),
      registry_(std::move(registry)),
      metrics_(registry_->add_worker()),
      authenticators_(process.loop) {
    registry_->watch(process.log);
}

Generation::~Generation() {
    *self_ = nullptr;
    watches_.clear();
    authenticators_.stop_pool();
    registry_->retire();
}

std::vector<std::string> Generation::load(const Generation* before, const UsersFiles& read) {
    std::vector<std::string> problems = authenticators_.start(
        *plan_, {.log = process_.log, .background = process_.background, .resolver = process_.resolver},
        before == nullptr ? nullptr : &before->authenticators_, read);
    for (const ListenerPlan& listener : plan_->listeners)
        registry_->set_connections_limit(listener.index, listener.max_connections);
    for (std::size_t i = 0; i < plan_->certificates.size(); ++i) {
        const observe::CertificateIndex index{static_cast<std::uint32_t>(i)};
        metrics_.certificate_loaded(index, conf::LoadResult::kOk);
        registry_->set_certificate_not_after(index, plan_->certificates[i].not_after);
    }
    for (const UpstreamPlan& upstream : plan_->upstreams) {
        const auto& pool = plan_->config->upstreams[static_cast<std::size_t>(upstream.index)].pool;
        registry_->set_upstream_connections_limit(upstream.index, pool.max_connections);
    }
    return problems;
}

Result<void> Generation::prepare() {
    const GenerationParts parts{
        .number = number_,
        .plan = plan_,
        .log = process_.log,
        .registry = *registry_,
        .authenticators = authenticators_,
        .served = [self = self_, &loop = process_.loop](std::size_t upstream, std::size_t endpoint,
                                                        const net::SocketAddress& address, bool good) {
            loop.post([self, upstream, endpoint, address, good] {
                if (*self != nullptr) (*self)->served(upstream, endpoint, address, good);
            });
        }};
    for (const auto& worker : process_.workers) {
        if (const auto prepared = worker->prepare(parts); !prepared) return prepared;
        ++workers_with_it_;
    }
    workers_in_use_ = workers_with_it_;
    authenticators_.on_servable([this](const Servable& servable) {
        for (const auto& worker : process_.workers) worker->set_servable(number_, servable);
    });
    return {};
}

void Generation::watch_upstreams(std::function<void()> changed) {
    changed_ = std::move(changed);
    for (std::size_t i = 0; i < plan_->upstreams.size(); ++i) {
        watches_.push_back(std::make_unique<UpstreamWatch>(
            process_.loop, process_.resolver, *plan_, i, process_.log, *registry_, metrics_,
            [this, i](const std::shared_ptr<const upstream::Snapshot>& snapshot) {
                for (const auto& worker : process_.workers) worker->set_snapshot(number_, i, snapshot);
                if (watches_.size() == plan_->upstreams.size()) changed_();
            }));
    }
}

void Generation::drop() {
    for (const auto& worker : process_.workers) worker->drop(number_);
}

void Generation::quiet() {
    changed_ = [] {};
    for (const auto& watch : watches_) watch->quiet();
}

bool Generation::is_warm() const {
    return std::ranges::all_of(watches_, [](const auto& watch) { return watch->is_probed(); });
}

std::vector<std::string> Generation::unhealthy_upstreams() const {
    std::vector<std::string> reasons;
    if (std::ranges::any_of(watches_, [](const auto& watch) { return watch->has_healthy(); })) return reasons;
    for (const auto& watch : watches_)
        reasons.push_back("no server of upstream " + watch->name() + " is healthy");
    return reasons;
}

void Generation::note_refused(const std::vector<conf::Problem>& problems) {
    registry_->config_refused();
    for (std::size_t i = 0; i < plan_->certificates.size(); ++i) {
        const std::string& path = plan_->certificates[i].path;
        const bool is_named = std::ranges::any_of(problems, [&](const conf::Problem& problem) {
            return problem.message.find(path) != std::string::npos;
        });
        if (!is_named) continue;
        metrics_.certificate_loaded(observe::CertificateIndex{static_cast<std::uint32_t>(i)},
                                    conf::LoadResult::kFailed);
    }
}

std::string Generation::scrape() {
    for (const auto& watch : watches_) watch->count_connections();
    const std::vector<std::string>& backends = plan_->config->auth.backends;
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        registry_->set_auth_cache_entries(observe::BackendIndex{i},
                                          authenticators_.cache().entries_of(backends[i]));
    }
    return registry_->scrape();
}

void Generation::served(std::size_t upstream, std::size_t endpoint, const net::SocketAddress& address,
                        bool good) {
    if (upstream < watches_.size()) watches_[upstream]->served(endpoint, address, good);
}

}  // namespace gatepost::server

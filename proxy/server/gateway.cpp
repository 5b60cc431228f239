#include "proxy/server/gateway.h"

#include <algorithm>
#include <optional>
#include <random>
#include <signal.h>
#include <unistd.h>
#include <utility>

#include "conf/check.h"
#include "proxy/net/listener.h"
#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/policy/memory_limit_store.h"
#include "proxy/server/admin.h"
#include "proxy/server/authenticators.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/upstream_watch.h"
#include "proxy/server/worker.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

constexpr std::chrono::milliseconds kDrainPoll{50};
/// For sessions to write their last line when they are ended at once.
constexpr std::chrono::seconds kLastWords{1};

std::string_view mode_of(conf::ListenerTls tls) {
    switch (tls) {
        case conf::ListenerTls::None: return "none";
        case conf::ListenerTls::StartTls: return "starttls";
        case conf::ListenerTls::Implicit: return "implicit";
    }
    return "";
}

WallTime wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Members are in the order in which they may be needed: each is destroyed before what it leans on.
class Gateway {
  public:
    explicit Gateway(std::shared_ptr<const Plan> plan)
        : plan_(std::move(plan)),
          log_(plan_->config->log.level),
          registry_(label_sets(*plan_)),
          metrics_(registry_.add_worker()),
          began_(Clock::now()) {}

    ~Gateway() {
        acceptors_.clear();
        watches_.clear();
        authenticators_.stop_pool();
        for (const auto& worker : workers_) worker->stop();
    }

    [[nodiscard]] Exit run() {
        ::signal(SIGPIPE, SIG_IGN);
        registry_.watch(log_);
        registry_.config_loaded(wall_now());
        if (!start_authenticators() || !open_limit_stores() || !open_listeners()) return failure_;
        if (!start_workers() || !open_admin()) return failure_;
        if (!watch_upstreams()) return failure_;
        authenticators_.on_servable([this](const Servable& servable) {
            for (const auto& worker : workers_) worker->set_servable(servable);
        });
        watch_signals();
        log_.log(LogEvent::start, {{LogField::version, GATEPOST_VERSION},
                                   {LogField::pid, static_cast<std::int64_t>(::getpid())},
                                   {LogField::workers, plan_->workers},
                                   {LogField::listeners, plan_->listeners.size()}});
        loop_.run();
        log_.log(LogEvent::stop, {{LogField::reason, "signal"},
                                  {LogField::sessions, connections()},
                                  {LogField::duration, Clock::now() - began_}});
        return Exit::kFine;
    }

  private:
    bool start_authenticators() {
        const std::vector<std::string> problems = authenticators_.start(*plan_, log_, background_);
        for (const std::string& problem : problems) {
            log_.log(LogEvent::config_refused,
                     {{LogField::file, plan_->config->file}, {LogField::what, problem}});
        }
        for (const conf::Problem& note : conf::notes(*plan_->config))
            log_.log(LogEvent::config_note, {{LogField::file, note.file}, {LogField::what, note.message}});
        if (problems.empty()) return true;
        failure_ = Exit::kBadConfiguration;
        return false;
    }

    bool open_limit_stores() {
        auto made =
            LimitStores::make(plan_->config->limit_store, plan_->workers,
                              {.memory = limits_, .resolver = resolver_, .log = log_, .registry = registry_});
        if (made) {
            limit_stores_ = std::move(*made);
            return true;
        }
        log_.log(LogEvent::config_refused,
                 {{LogField::file, plan_->config->file}, {LogField::what, made.error().message}});
        failure_ = Exit::kBadConfiguration;
        return false;
    }

    bool open_listeners() {
        for (const ListenerPlan& listener : plan_->listeners) {
            Result<net::UniqueFd> socket = net::listen_on(listener.address);
            if (!socket) {
                log_.log(LogEvent::listener_failed, {{LogField::listener, listener.name},
                                                     {LogField::address, listener.address},
                                                     {LogField::what, socket.error().message}});
                return false;
            }
            registry_.set_connections_limit(listener.index, listener.max_connections);
            log_.log(LogEvent::listener, {{LogField::listener, listener.name},
                                          {LogField::address, net::local_address(socket->get()).to_string()},
                                          {LogField::mode, mode_of(listener.tls)}});
            listening_.push_back(std::move(*socket));
        }
        for (std::size_t i = 0; i < plan_->certificates.size(); ++i) {
            registry_.set_certificate_not_after(observe::CertificateIndex{static_cast<std::uint32_t>(i)},
                                                plan_->certificates[i].not_after);
        }
        return true;
    }

    bool start_workers() {
        const WorkerParts parts{.plan = plan_,
                                .log = log_,
                                .registry = registry_,
                                .authenticators = authenticators_,
                                .limit_stores = *limit_stores_,
                                .pool_groups = pool_groups_,
                                .served = [this](std::size_t upstream, std::size_t endpoint,
                                                 const net::SocketAddress& address, bool good) {
                                    loop_.post([this, upstream, endpoint, address, good] {
                                        if (upstream < watches_.size())
                                            watches_[upstream]->served(endpoint, address, good);
                                    });
                                }};
        for (const UpstreamPlan& upstream : plan_->upstreams) {
            pool_groups_.push_back(std::make_unique<upstream::PoolGroup>());
            registry_.set_upstream_connections_limit(
                upstream.index,
                plan_->config->upstreams[static_cast<std::size_t>(upstream.index)].pool.max_connections);
        }
        for (unsigned i = 0; i < plan_->workers; ++i) {
            Result<std::unique_ptr<Worker>> worker = Worker::make(i, parts);
            if (!worker) {
                log_.log(LogEvent::internal_error, {{LogField::what, worker.error().message}});
                return false;
            }
            workers_.push_back(std::move(*worker));
        }
        // A single worker needs nobody to hand it connections (decisions 25).
        for (std::size_t i = 0; i < listening_.size(); ++i) {
            if (workers_.size() == 1) {
                workers_.front()->accept_from(i, std::move(listening_[i]));
                continue;
            }
            acceptors_.push_back(std::make_unique<net::Acceptor>(
                loop_, std::move(listening_[i]),
                [this, i](net::UniqueFd socket, const net::SocketAddress& peer) {
                    less_loaded_of_two().adopt(i, std::move(socket), peer);
                }));
        }
        for (const auto& worker : workers_) worker->start();
        return true;
    }

    Worker& less_loaded_of_two() {
        std::uniform_int_distribution<std::size_t> any(0, workers_.size() - 1);
        Worker& first = *workers_[any(random_)];
        Worker& second = *workers_[any(random_)];
        return second.load() < first.load() ? second : first;
    }

    bool open_admin() {
        admin_.emplace(Admin::Parts{
            .loop = loop_, .plan = *plan_, .log = log_, .metrics = metrics_, .limit_stores = *limit_stores_});
        return admin_->open({.metrics =
                                 [this] {
                                     for (const auto& watch : watches_) watch->count_connections();
                                     return registry_.scrape();
                                 },
                             .unready_because = [this] { return unready_because(); }});
    }

    bool watch_upstreams() {
        for (std::size_t i = 0; i < plan_->upstreams.size(); ++i) {
            Result<upstream::OpenerSettings> opener = make_opener_settings(*plan_, i);
            if (!opener) {
                log_.log(LogEvent::internal_error, {{LogField::what, opener.error().message}});
                return false;
            }
            watches_.push_back(std::make_unique<UpstreamWatch>(
                loop_, resolver_, *plan_, i, std::move(*opener), log_, registry_, metrics_,
                [this, i](const std::shared_ptr<const upstream::Snapshot>& snapshot) {
                    for (const auto& worker : workers_) worker->set_snapshot(i, snapshot);
                    if (watches_.size() == plan_->upstreams.size()) note_ready();
                }));
        }
        return true;
    }

    /// Mail of some clients can be served while one upstream is there.
    std::vector<std::string> unready_because() const {
        std::vector<std::string> reasons;
        if (draining_) reasons.emplace_back("draining");
        if (std::ranges::any_of(watches_, [](const auto& watch) { return watch->has_healthy(); }))
            return reasons;
        for (const auto& watch : watches_)
            reasons.push_back("no server of upstream " + watch->name() + " is healthy");
        return reasons;
    }

    Duration longest_reply_timeout() const {
        Duration longest{};
        for (const conf::Upstream& upstream : plan_->config->upstreams)
            longest = std::max<Duration>(longest, upstream.reply_timeout);
        return longest;
    }

    void note_ready() { registry_.set_ready(unready_because().empty()); }

    void watch_signals() {
        signals_.push_back(
            std::make_unique<net::SignalWatch>(loop_, SIGTERM, [this] { on_end_signal("SIGTERM"); }));
        signals_.push_back(
            std::make_unique<net::SignalWatch>(loop_, SIGINT, [this] { on_end_signal("SIGINT"); }));
        signals_.push_back(std::make_unique<net::SignalWatch>(loop_, SIGHUP, [this] {
            authenticators_.reload();
            log_.log(LogEvent::signal, {{LogField::signal, "SIGHUP"},
                                        {LogField::what,
                                         "users files are read again; the configuration and the "
                                         "certificates are read at start only"}});
        }));
    }

    void on_end_signal(std::string_view name) {
        log_.log(LogEvent::signal,
                 {{LogField::signal, name}, {LogField::what, draining_ ? "ending now" : "draining"}});
        if (std::exchange(draining_, true)) return end_now();
        registry_.set_draining(true);
        note_ready();
        drain_step_.start(plan_->config->drain.delay);
    }

    /// Every session ends, and says so in the log, whatever is under way.
    void end_now() {
        acceptors_.clear();
        for (const auto& worker : workers_) {
            worker->stop_accepting();
            worker->abort_all();
        }
        drain_until_ = last_wait_until_ = Clock::now() + kLastWords;
        closing_ = expired_ = true;
        drain_step_.start(Duration::zero());
    }

    /// After the delay: no new sessions, 421 for idle ones; then until all have ended. When the timeout is
    /// over, only messages that are complete at the upstream are waited for: their answer decides whether
    /// they exist (decisions 7).
    void on_drain_step() {
        if (!std::exchange(closing_, true)) {
            acceptors_.clear();
            for (const auto& worker : workers_) {
                worker->stop_accepting();
                worker->drain();
            }
            drain_until_ = Clock::now() + plan_->config->drain.timeout;
            last_wait_until_ = drain_until_ + longest_reply_timeout();
        } else if (connections() == 0 || Clock::now() >= last_wait_until_) {
            return loop_.stop();
        } else if (Clock::now() >= drain_until_ && !std::exchange(expired_, true)) {
            for (const auto& worker : workers_) worker->drain_expired();
        }
        drain_step_.start(kDrainPoll);
    }

    [[nodiscard]] std::size_t connections() const {
        std::size_t count = 0;
        for (const auto& worker : workers_) count += worker->connections();
        return count;
    }

    const std::shared_ptr<const Plan> plan_;
    observe::LogSink log_;
    observe::MetricsRegistry registry_;
    observe::WorkerMetrics& metrics_;
    const TimePoint began_;
    net::EventLoop loop_;
    net::BackgroundThread background_;
    net::Resolver resolver_{background_};
    Authenticators authenticators_{loop_};
    policy::MemoryLimitStore limits_;
    std::unique_ptr<LimitStores> limit_stores_;
    std::vector<net::UniqueFd> listening_;
    std::vector<std::unique_ptr<upstream::PoolGroup>> pool_groups_;  ///< by upstream
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
    std::optional<Admin> admin_;
    std::vector<std::unique_ptr<UpstreamWatch>> watches_;  ///< by upstream
    std::vector<std::unique_ptr<net::SignalWatch>> signals_;
    net::Timer drain_step_{loop_, [this] { on_drain_step(); }};
    std::minstd_rand random_{std::random_device()()};
    TimePoint drain_until_;
    TimePoint last_wait_until_;
    Exit failure_ = Exit::kCouldNotStart;
    bool draining_ = false;
    bool closing_ = false;
    bool expired_ = false;
};

}  // namespace

Exit serve(const std::shared_ptr<const Plan>& plan) {
    return Gateway(plan).run();
}

}  // namespace gatepost::server

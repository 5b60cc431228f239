#include "proxy/server/gateway.h"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
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
#include "proxy/server/generation.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/reload.h"

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
class Gateway final : private ReloadHost {
  public:
    explicit Gateway(const std::shared_ptr<const Plan>& plan)
        : log_(plan->config->log.level),
          registry_(std::make_shared<observe::MetricsRegistry>(label_sets(*plan))),
          metrics_(registry_->add_worker()),
          began_(Clock::now()),
          current_(std::make_unique<Generation>(
              process_, 1, plan, std::make_shared<observe::MetricsRegistry>(label_sets(*plan), registry_))) {}

    ~Gateway() override {
        acceptors_.close();
        // Verdicts are posted to the workers, and what these have leans on its generation.
        current_->authenticators().stop_pool();
        for (const auto& former : former_) former->authenticators().stop_pool();
        for (const auto& worker : workers_) worker->stop();
        workers_.clear();
    }

    [[nodiscard]] Exit run() {
        ::signal(SIGPIPE, SIG_IGN);
        current_->registry()->config_loaded(wall_now(), plan().hash);
        if (!load() || !open_limit_stores()) return failure_;
        make_workers();
        if (!serve_first() || !open_admin()) return failure_;
        reload_.emplace(process_, static_cast<ReloadHost&>(*this));
        reload_->watch_files();
        watch_signals();
        log_.log(LogEvent::start, {{LogField::version, GATEPOST_VERSION},
                                   {LogField::pid, static_cast<std::int64_t>(::getpid())},
                                   {LogField::workers, plan().workers},
                                   {LogField::listeners, plan().listeners.size()}});
        loop_.run();
        log_.log(LogEvent::stop, {{LogField::reason, "signal"},
                                  {LogField::sessions, connections()},
                                  {LogField::duration, Clock::now() - began_}});
        return Exit::kFine;
    }

  private:
    [[nodiscard]] const Plan& plan() const { return *current_->plan(); }

    bool load() {
        const std::vector<std::string> problems = current_->load(nullptr);
        for (const std::string& problem : problems) {
            log_.log(LogEvent::config_refused,
                     {{LogField::file, plan().config->file}, {LogField::what, problem}});
        }
        for (const conf::Problem& note : conf::notes(*plan().config))
            log_.log(LogEvent::config_note, {{LogField::file, note.file}, {LogField::what, note.message}});
        if (problems.empty()) return true;
        failure_ = Exit::kBadConfiguration;
        return false;
    }

    bool open_limit_stores() {
        auto made = LimitStores::make(
            plan().config->limit_store, plan().workers,
            {.memory = limits_, .resolver = resolver_, .log = log_, .registry = *current_->registry()});
        if (made) {
            limit_stores_ = std::move(*made);
            return true;
        }
        log_.log(LogEvent::config_refused,
                 {{LogField::file, plan().config->file}, {LogField::what, made.error().message}});
        failure_ = Exit::kBadConfiguration;
        return false;
    }

    void make_workers() {
        const WorkerParts parts{
            .log = log_,
            .registry = *registry_,
            .limit_stores = *limit_stores_,
            .generation_idle =
                [this](std::uint64_t number) { loop_.post([this, number] { generation_idle(number); }); },
            .generation_gone =
                [this](std::uint64_t number) { loop_.post([this, number] { generation_gone(number); }); }};
        for (unsigned i = 0; i < plan().workers; ++i) workers_.push_back(std::make_unique<Worker>(i, parts));
    }

    bool serve_first() {
        auto doors = open_doors(plan());
        if (!doors) return false;
        Result<void> made = current_->prepare();
        if (made) made = current_->watch_upstreams([this] { upstreams_changed(); });
        if (!made) {
            log_.log(LogEvent::internal_error, {{LogField::what, made.error().message}});
            return false;
        }
        let_in(std::move(*doors));
        for (const auto& worker : workers_) worker->start();
        return true;
    }

    // ReloadHost
    [[nodiscard]] Generation& served() override { return *current_; }
    [[nodiscard]] bool is_draining() const override { return draining_; }
    void upstreams_changed() override { note_ready(); }

    [[nodiscard]] Result<std::vector<Acceptors::Door>> open_doors(const Plan& plan) override {
        std::vector<Acceptors::Door> doors;
        std::multiset<std::string> open = open_;
        for (const ListenerPlan& listener : plan.listeners) {
            doors.push_back({.address = listener.address, .socket = {}});
            if (const auto found = open.find(listener.address); found != open.end()) {
                open.erase(found);
                continue;
            }
            Result<net::UniqueFd> socket = net::listen_on(listener.address);
            if (!socket) {
                log_.log(LogEvent::listener_failed, {{LogField::listener, listener.name},
                                                     {LogField::address, listener.address},
                                                     {LogField::what, socket.error().message}});
                return std::unexpected(std::move(socket.error()));
            }
            log_.log(LogEvent::listener, {{LogField::listener, listener.name},
                                          {LogField::address, net::local_address(socket->get()).to_string()},
                                          {LogField::mode, mode_of(listener.tls)}});
            doors.back().socket = std::move(*socket);
        }
        return doors;
    }

    void serve(std::unique_ptr<Generation> generation, std::vector<Acceptors::Door> doors) override {
        current_->quiet();
        for (const ListenerPlan& listener : generation->plan()->listeners)
            listener.slots->set_cap(listener.max_connections);
        former_.push_back(std::exchange(current_, std::move(generation)));
        limit_stores_->use(*current_->registry());
        current_->registry()->config_loaded(wall_now(), plan().hash);
        let_in(std::move(doors));
        admin_->use(current_->plan());
        note_ready();
    }

    void bury(std::unique_ptr<Generation> generation) override {
        generation->quiet();
        generation->drop();
        if (generation->is_held()) former_.push_back(std::move(generation));
    }

    void generation_idle(std::uint64_t number) {
        for (const auto& former : former_) {
            if (former->number() == number && former->one_is_idle()) former->drop();
        }
    }

    void generation_gone(std::uint64_t number) {
        std::erase_if(former_, [number](const std::unique_ptr<Generation>& former) {
            return former->number() == number && former->one_is_gone();
        });
    }

    /// A single worker needs nobody to hand it connections (decisions 25).
    void let_in(std::vector<Acceptors::Door> doors) {
        open_.clear();
        for (const Acceptors::Door& door : doors) open_.insert(door.address);
        const std::uint64_t number = current_->number();
        if (workers_.size() == 1) return workers_.front()->serve(number, std::move(doors));
        acceptors_.serve(std::move(doors));
        for (const auto& worker : workers_) worker->serve(number, {});
    }

    Worker& less_loaded_of_two() {
        std::uniform_int_distribution<std::size_t> any(0, workers_.size() - 1);
        Worker& first = *workers_[any(random_)];
        Worker& second = *workers_[any(random_)];
        return second.load() < first.load() ? second : first;
    }

    bool open_admin() {
        admin_.emplace(
            Admin::Parts{.loop = loop_, .log = log_, .metrics = metrics_, .limit_stores = *limit_stores_},
            current_->plan());
        return admin_->open({.metrics = [this] { return current_->scrape(); },
                             .unready_because = [this] { return unready_because(); }});
    }

    std::vector<std::string> unready_because() const {
        std::vector<std::string> reasons;
        if (draining_) reasons.emplace_back("draining");
        const std::vector<std::string> unhealthy = current_->unhealthy_upstreams();
        reasons.insert(reasons.end(), unhealthy.begin(), unhealthy.end());
        return reasons;
    }

    Duration longest_reply_timeout() const {
        Duration longest{};
        for (const conf::Upstream& upstream : plan().config->upstreams)
            longest = std::max<Duration>(longest, upstream.reply_timeout);
        return longest;
    }

    void note_ready() { current_->registry()->set_ready(unready_because().empty()); }

    void watch_signals() {
        signals_.push_back(
            std::make_unique<net::SignalWatch>(loop_, SIGTERM, [this] { on_end_signal("SIGTERM"); }));
        signals_.push_back(
            std::make_unique<net::SignalWatch>(loop_, SIGINT, [this] { on_end_signal("SIGINT"); }));
        signals_.push_back(std::make_unique<net::SignalWatch>(loop_, SIGHUP, [this] {
            log_.log(LogEvent::signal, {{LogField::signal, "SIGHUP"}, {LogField::what, "reloading"}});
            reload_->begin(ReloadTrigger::kSignal, {});
        }));
    }

    void on_end_signal(std::string_view name) {
        log_.log(LogEvent::signal,
                 {{LogField::signal, name}, {LogField::what, draining_ ? "ending now" : "draining"}});
        if (std::exchange(draining_, true)) return end_now();
        current_->registry()->set_draining(true);
        note_ready();
        drain_step_.start(plan().config->drain.delay);
    }

    /// Every session ends, and says so in the log, whatever is under way.
    void end_now() {
        acceptors_.close();
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
            acceptors_.close();
            for (const auto& worker : workers_) {
                worker->stop_accepting();
                worker->drain();
            }
            drain_until_ = Clock::now() + plan().config->drain.timeout;
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

    observe::LogSink log_;
    /// What outlives generations counts here.
    const std::shared_ptr<observe::MetricsRegistry> registry_;
    observe::WorkerMetrics& metrics_;
    const TimePoint began_;
    net::EventLoop loop_;
    net::BackgroundThread background_;
    net::Resolver resolver_{background_};
    policy::MemoryLimitStore limits_;
    std::unique_ptr<LimitStores> limit_stores_;
    std::vector<std::unique_ptr<Worker>> workers_;
    const Generation::Process process_{.loop = loop_,
                                       .background = background_,
                                       .resolver = resolver_,
                                       .log = log_,
                                       .metrics = metrics_,
                                       .workers = workers_};
    std::unique_ptr<Generation> current_;
    std::vector<std::unique_ptr<Generation>> former_;  ///< some connections are still of these
    std::multiset<std::string> open_;                  ///< addresses listened on
    Acceptors acceptors_{loop_,
                         [this](std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer) {
                             less_loaded_of_two().adopt(listener, std::move(socket), peer);
                         }};
    std::optional<Reload> reload_;
    std::optional<Admin> admin_;
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

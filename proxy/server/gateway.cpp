#include "proxy/server/gateway.h"

#include <algorithm>
#include <functional>
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
#include "proxy/server/dns_metrics.h"
#include "proxy/server/drain.h"
#include "proxy/server/generation.h"
#include "proxy/server/limit_stores.h"
#include "proxy/server/listening_sockets.h"
#include "proxy/server/operations.h"
#include "proxy/server/privileges.h"
#include "proxy/server/reload.h"
#include "proxy/server/service_manager.h"
#include "proxy/server/session_list.h"
#include "proxy/server/status.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

WallTime wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// Members are in the order in which they may be needed: each is destroyed before what it leans on.
class Gateway final : private ReloadHost, private DrainHost, private Operations {
  public:
    explicit Gateway(const std::shared_ptr<const Plan>& plan)
        : log_(plan->config->log),
          registry_(std::make_shared<observe::MetricsRegistry>(label_sets(*plan))),
          metrics_(registry_->add_worker()),
          began_(Clock::now()),
          current_(std::make_unique<Generation>(
              process_, 1, plan, std::make_shared<observe::MetricsRegistry>(label_sets(*plan), registry_))) {}

    ~Gateway() override {
        acceptors_.close();
        // What it finds is posted to the loops of the workers.
        background_.stop();
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
        if (!prepare_first() || !open_admin()) return failure_;
        // Nothing below binds a port or reads a file, and no client has been let in yet.
        if (!drop_privileges(*plan().config, log_)) return failure_;
        for (const auto& worker : workers_) worker->start();
        reload_.emplace(process_, static_cast<ReloadHost&>(*this));
        reload_->watch_files();
        watch_signals();
        log_.log(LogEvent::start, {{LogField::version, GATEPOST_VERSION},
                                   {LogField::pid, static_cast<std::int64_t>(::getpid())},
                                   {LogField::workers, plan().workers},
                                   {LogField::listeners, plan().listeners.size()}});
        tell_service_manager();
        loop_.run();
        forget_signals();
        log_.log(LogEvent::stop, {{LogField::reason, drain_.reason()},
                                  {LogField::sessions, sessions()},
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

    bool prepare_first() {
        auto doors = open_doors(plan());
        if (!doors) return false;
        if (const Result<void> made = current_->prepare(); !made) {
            log_.log(LogEvent::internal_error, {{LogField::what, made.error().message}});
            return false;
        }
        current_->watch_upstreams([this] { upstreams_changed(); });
        let_in(std::move(*doors));
        return true;
    }

    // ReloadHost
    [[nodiscard]] Generation& served() override { return *current_; }
    [[nodiscard]] bool is_draining() const override { return drain_.has_begun(); }
    void upstreams_changed() override { note_ready(); }

    void reload_changes(bool is_under_way) override {
        if (is_draining()) return;  // the service manager has been told that it ends
        if (is_under_way) return service_manager_.reloading("reading the configuration");
        service_manager_.ready("serving");
    }
    [[nodiscard]] Result<std::vector<Acceptors::Door>> open_doors(const Plan& plan) override {
        return sockets_.open(plan);
    }

    void serve(std::unique_ptr<Generation> generation, std::vector<Acceptors::Door> doors) override {
        current_->quiet();
        const conf::Log& log = generation->plan()->config->log;
        log_.set_level(log.level);
        log_.set_format(log.format);
        for (const ListenerPlan& listener : generation->plan()->listeners)
            listener.slots->set_cap(listener.max_connections);
        former_.push_back(std::exchange(current_, std::move(generation)));
        limit_stores_->use(*current_->registry());
        limit_stores_->use_password(plan().config->limit_store);
        loaded_ = wall_now();
        current_->registry()->config_loaded(loaded_, plan().hash);
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

    /// Its checks that are under way may take seconds to end, though nobody waits for them any more.
    void generation_gone(std::uint64_t number) {
        const auto gone = std::ranges::find(former_, number, &Generation::number);
        if (gone == former_.end() || !(*gone)->one_is_gone()) return;
        background_.post([this, number, &its = **gone] {
            its.authenticators().stop_pool();
            loop_.post([this, number] {
                std::erase_if(former_, [number](const auto& former) { return former->number() == number; });
            });
        });
    }

    /// A single worker needs nobody to hand it connections (decisions 25).
    void let_in(std::vector<Acceptors::Door> doors) {
        sockets_.served(doors);
        const std::uint64_t number = current_->number();
        if (workers_.size() == 1) return workers_.front()->serve(number, std::move(doors));
        acceptors_.serve(std::move(doors));
        for (const auto& worker : workers_) worker->serve(number, {});
    }

    void tell_service_manager() {
        std::vector<Executor*> loops;
        for (const auto& worker : workers_) loops.push_back(&worker->loop());
        service_manager_.ready("serving");
        service_manager_.watch_over(std::move(loops));
    }

    Worker& less_loaded_of_two() {
        std::uniform_int_distribution<std::size_t> any(0, workers_.size() - 1);
        Worker& first = *workers_[any(random_)];
        Worker& second = *workers_[any(random_)];
        return second.load() < first.load() ? second : first;
    }

    bool open_admin() {
        admin_.emplace(Admin::Parts{.loop = loop_,
                                    .log = log_,
                                    .metrics = metrics_,
                                    .registry = *registry_,
                                    .limit_stores = *limit_stores_,
                                    .operations = *this},
                       current_->plan());
        observe::AdminSources sources;
        sources.metrics = [this] { return current_->scrape(); };
        sources.unready_because = [this] { return unready_because(); };
        return admin_->open(std::move(sources));
    }

    // Operations
    Status status() override {
        return collect_status({.plan = plan(),
                               .registry = *current_->registry(),
                               .watches = current_->watches(),
                               .up = Clock::now() - began_,
                               .unready_because = unready_because(),
                               .is_draining = drain_.has_begun(),
                               .configuration = {.file = plan().config->file,
                                                 .hash = plan().hash,
                                                 .loaded = loaded_,
                                                 .last_error = reload_->last_error()}});
    }
    void who(SessionFilter filter, std::function<void(std::vector<SessionRow>)> told) override {
        gather_sessions(workers_, loop_, filter, std::move(told));
    }
    void kick(SessionFilter filter, std::function<void(std::size_t)> told) override {
        kick_sessions(workers_, loop_, filter, std::move(told));
    }
    void reload(ReloadTrigger trigger, std::function<void(Result<std::string>)> told) override {
        reload_->begin(trigger, std::move(told));
    }
    void drain(std::function<void()> told) override { drain_.ask(std::move(told), loop_.now()); }
    void set_log_level(conf::LogLevel level) override { log_.set_level(level); }

    std::vector<std::string> unready_because() const {
        std::vector<std::string> reasons;
        if (drain_.has_begun()) reasons.emplace_back("draining");
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
        signals_.push_back(std::make_unique<net::SignalWatch>(
            loop_, SIGTERM, [this] { drain_.on_signal("SIGTERM", loop_.now()); }));
        signals_.push_back(std::make_unique<net::SignalWatch>(
            loop_, SIGINT, [this] { drain_.on_signal("SIGINT", loop_.now()); }));
        signals_.push_back(std::make_unique<net::SignalWatch>(loop_, SIGHUP, [this] {
            log_.log(LogEvent::signal, {{LogField::signal, "SIGHUP"},
                                        {LogField::what, is_draining() ? "draining" : "reloading"}});
            reload_->begin(ReloadTrigger::kSignal, {});
        }));
    }

    /// What is left is the end, which may take a moment: who signals now (the kubelet, behind preStop) finds
    /// a process that ends, and does not kill it.
    void forget_signals() {
        signals_.clear();
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
    }

    // DrainHost
    [[nodiscard]] Times drain_times() const override {
        return {.delay = plan().config->drain.delay,
                .timeout = plan().config->drain.timeout,
                .answer = longest_reply_timeout()};
    }
    void announce_drain() override {
        const Times times = drain_times();
        service_manager_.stopping("draining", times.delay + times.timeout + times.answer + Drain::kLastWords);
        current_->registry()->set_draining(true);
        note_ready();
    }
    void close_doors() override {
        acceptors_.close();
        for (const auto& worker : workers_) {
            worker->stop_accepting();
            worker->drain();
        }
    }
    void cut_sessions() override {
        for (const auto& worker : workers_) worker->drain_expired();
    }
    void cut_everything() override {
        close_doors();
        for (const auto& worker : workers_) worker->abort_all();
    }
    [[nodiscard]] std::size_t sessions() const override { return sum_of(&Worker::connections); }
    [[nodiscard]] std::size_t sessions_cut() const override { return sum_of(&Worker::sessions_cut); }
    [[nodiscard]] bool is_quiet() const override {
        return std::ranges::all_of(workers_, [](const auto& worker) { return worker->is_quiet(); });
    }
    void wake_drain_in(Duration delay) override { drain_timer_.start(delay); }
    void end_process() override { loop_.stop(); }

    [[nodiscard]] std::size_t sum_of(std::size_t (Worker::*number)() const noexcept) const {
        std::size_t sum = 0;
        for (const auto& worker : workers_) sum += (*worker.*number)();
        return sum;
    }

    // Before the first thread: it changes the environment.
    const ServiceEnvironment service_environment_ = take_service_environment();
    InheritedSockets inherited_ = InheritedSockets::take_from_environment();
    observe::LogSink log_;
    /// What outlives generations counts here.
    const std::shared_ptr<observe::MetricsRegistry> registry_;
    observe::WorkerMetrics& metrics_;
    const TimePoint began_;
    net::EventLoop loop_;
    ServiceManager service_manager_{loop_, service_environment_};
    DnsMetrics dns_metrics_{registry_->add_process_worker()};
    net::BackgroundThread background_;
    net::Resolver resolver_{background_, &dns_metrics_};
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
    ListeningSockets sockets_{std::move(inherited_), log_};
    Acceptors acceptors_{loop_,
                         [this](std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer) {
                             less_loaded_of_two().adopt(listener, std::move(socket), peer);
                         }};
    std::optional<Reload> reload_;
    std::optional<Admin> admin_;
    std::vector<std::unique_ptr<net::SignalWatch>> signals_;
    Drain drain_{*this, log_};
    net::Timer drain_timer_{loop_, [this] { drain_.wake(loop_.now()); }};
    std::minstd_rand random_{std::random_device()()};
    Exit failure_ = Exit::kCouldNotStart;
    WallTime loaded_ = wall_now();  ///< what is served
};

}  // namespace

Exit serve(const std::shared_ptr<const Plan>& plan) {
    forbid_new_privileges();
    return Gateway(plan).run();
}

}  // namespace gatepost::server

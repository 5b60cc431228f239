// Everything that the main thread makes of one configuration: who judges credentials, the watches over
// upstreams, the metrics; and, through the workers, what each of them makes of it. Connections keep the
// generation that they were born with, so it ends with the last of them. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/resolver.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/authenticators.h"
#include "proxy/server/plan.h"
#include "proxy/server/upstream_watch.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

class Generation {
  public:
    /// What the process has, whatever the configuration; outlives every generation.
    struct Process {
        net::EventLoop& loop;
        net::BackgroundThread& background;
        net::Resolver& resolver;
        observe::LogSink& log;
        observe::WorkerMetrics& metrics;  ///< of what outlives generations, of the main thread
        std::vector<std::unique_ptr<Worker>>& workers;
    };

    /// Nothing is opened yet.
    Generation(const Process& process, std::uint64_t number, std::shared_ptr<const Plan> plan,
               std::shared_ptr<observe::MetricsRegistry> registry);
    /// Requires that no worker has anything of it.
    ~Generation();
    Generation(const Generation&) = delete;
    Generation& operator=(const Generation&) = delete;

    /// Loads what is to be loaded; what is returned is wrong and must be told. `before`: the generation that
    /// is served now, if any; it may be gone later. Users files in `read` need not be read.
    [[nodiscard]] std::vector<std::string> load(const Generation* before, const UsersFiles& read = {});
    /// Has each worker make its part. After a failure some have made it, and drop() is needed.
    [[nodiscard]] Result<void> prepare();
    /// Begins to look after the upstreams; `changed` is called each time something was found out about one.
    void watch_upstreams(std::function<void()> changed);
    /// No worker serves it, and none has a connection of it: once each has let go of its part, it may be
    /// destroyed.
    void drop();
    /// Whether some worker has a part of it.
    [[nodiscard]] bool is_held() const noexcept { return workers_with_it_ > 0; }
    /// Another generation is served: what happens to this one's servers is that one's news.
    void quiet();
    /// One of the workers has no connection of it, and gets none. True: so have all.
    [[nodiscard]] bool one_is_idle() { return --workers_in_use_ == 0; }
    /// One of the workers has nothing of it any more. True: none has.
    [[nodiscard]] bool one_is_gone() { return --workers_with_it_ == 0; }

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] const std::shared_ptr<const Plan>& plan() const noexcept { return plan_; }
    [[nodiscard]] const std::shared_ptr<observe::MetricsRegistry>& registry() const noexcept {
        return registry_;
    }
    [[nodiscard]] Authenticators& authenticators() noexcept { return authenticators_; }
    [[nodiscard]] const std::vector<std::unique_ptr<UpstreamWatch>>& watches() const noexcept {
        return watches_;
    }
    /// Each server was asked how it is: nothing is gained by waiting.
    [[nodiscard]] bool is_warm() const;
    /// Why nobody's mail can be served; empty if somebody's can: mail of some clients can be while one
    /// upstream is there.
    [[nodiscard]] std::vector<std::string> unhealthy_upstreams() const;
    [[nodiscard]] std::string scrape();
    /// Another one was refused, for these reasons, and this one goes on.
    void note_refused(const std::vector<conf::Problem>& problems);

  private:
    void served(std::size_t upstream, std::size_t endpoint, const net::SocketAddress& address, bool good);

    const Process process_;
    const std::uint64_t number_;
    const std::shared_ptr<const Plan> plan_;
    const std::shared_ptr<observe::MetricsRegistry> registry_;
    observe::WorkerMetrics& metrics_;
    Authenticators authenticators_;
    std::vector<std::unique_ptr<UpstreamWatch>> watches_;  ///< by upstream
    std::function<void()> changed_;
    std::size_t workers_with_it_ = 0;
    std::size_t workers_in_use_ = 0;
    std::shared_ptr<Generation*> self_ = std::make_shared<Generation*>(this);  ///< workers tell it later
};

}  // namespace gatepost::server

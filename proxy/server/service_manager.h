// The service manager (systemd) that started this process: hears when it serves, reloads and ends, and by its
// watchdog whether every loop still turns, as sd_notify(3) has it. Silent where nobody listens. Main thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/timer.h"

namespace gatepost::server {

/// What the service manager said in the environment.
struct ServiceEnvironment {
    std::string notify_socket;  ///< a path, or "@" and an abstract name; "" = nobody listens
    Duration watchdog{};        ///< zero = nobody watches
};

/// NOTIFY_SOCKET and WATCHDOG_*, which are taken out of the environment: they are not for children. Before
/// any thread begins.
[[nodiscard]] ServiceEnvironment take_service_environment();

class ServiceManager {
  public:
    ServiceManager(net::EventLoop& loop, ServiceEnvironment environment);
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    /// Serving, after the start or a reload, whether that changed anything or not. `status` is for people,
    /// and so it is below.
    void ready(std::string_view status);
    /// A reload begins; ready() ends it.
    void reloading(std::string_view status);
    /// The end begins and takes at most `at_most`, however long the unit would wait.
    void stopping(std::string_view status, Duration at_most);
    void status(std::string_view status);

    /// Each half of the watchdog's time the loops are asked for an answer, and only when all have given it is
    /// the watchdog told. They outlive the event loop's last turn.
    void watch_over(std::vector<Executor*> workers);

  private:
    void tell(const std::string& message) const;
    void ask_workers();
    void on_answer();

    net::EventLoop& loop_;
    const ServiceEnvironment environment_;
    std::vector<Executor*> workers_;
    std::size_t awaited_ = 0;  ///< answers of the round under way
    net::Timer next_round_;
    std::shared_ptr<ServiceManager*> self_ = std::make_shared<ServiceManager*>(this);  ///< answers come late
};

}  // namespace gatepost::server

#include "proxy/server/service_manager.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "proxy/net/unique_fd.h"

namespace gatepost::server {
namespace {

/// The manager's queue may be full for a moment while a machine boots; it never holds us longer than this.
constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};

std::optional<std::string> take_variable(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
    if (value == nullptr) return std::nullopt;
    std::string taken = value;
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
    return taken;
}

std::int64_t number_in(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::string microseconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

/// One assignment a line, so the text of one has no line end.
std::string with_status(std::string message, std::string_view status) {
    message.append("\nSTATUS=").append(status);
    std::replace(message.end() - static_cast<std::ptrdiff_t>(status.size()), message.end(), '\n', ' ');
    return message;
}

}  // namespace

ServiceEnvironment take_service_environment() {
    ServiceEnvironment taken;
    taken.notify_socket = take_variable("NOTIFY_SOCKET").value_or("");
    const std::int64_t watchdog = number_in(take_variable("WATCHDOG_USEC").value_or(""));
    const std::optional<std::string> pid = take_variable("WATCHDOG_PID");
    const bool is_ours = !pid || number_in(*pid) == ::getpid();
    if (is_ours && watchdog > 0 && !taken.notify_socket.empty())
        taken.watchdog = std::chrono::microseconds(watchdog);
    return taken;
}

ServiceManager::ServiceManager(net::EventLoop& loop, ServiceEnvironment environment)
    : loop_(loop), environment_(std::move(environment)), next_round_(loop, [this] { ask_workers(); }) {}

void ServiceManager::ready(std::string_view status) {
    tell(with_status("READY=1", status));
}

void ServiceManager::reloading(std::string_view status) {
    // systemd tells by the time which of its requests this answers.
    tell(with_status("RELOADING=1\nMONOTONIC_USEC=" + microseconds(loop_.now().time_since_epoch()), status));
}

void ServiceManager::stopping(std::string_view status, Duration at_most) {
    tell(with_status("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + microseconds(at_most), status));
}

void ServiceManager::status(std::string_view status) {
    tell(with_status("", status).substr(1));
}

void ServiceManager::watch_over(std::vector<Executor*> workers) {
    workers_ = std::move(workers);
    if (environment_.watchdog > Duration::zero()) ask_workers();
}

/// A worker that has not answered is not asked again: its question still waits in its queue. Its answer,
/// however late, counts at once.
void ServiceManager::ask_workers() {
    next_round_.start(environment_.watchdog / 2);
    if (awaited_ != 0) return;
    awaited_ = workers_.size();
    for (Executor* const worker : workers_) {
        worker->post([&loop = loop_, self = std::weak_ptr(self_)]() mutable {
            loop.post([self = std::move(self)] {
                if (const auto manager = self.lock()) (*manager)->on_answer();
            });
        });
    }
}

void ServiceManager::on_answer() {
    if (--awaited_ == 0) tell("WATCHDOG=1");
}

/// What cannot be said is not said again: a start or a watchdog of which systemd hears nothing runs out, and
/// systemd says so.
void ServiceManager::tell(const std::string& message) const {
    const std::string& name = environment_.notify_socket;
    sockaddr_un address{};
    if (name.size() < 2 || name.size() >= sizeof address.sun_path) return;
    if (name.front() != '/' && name.front() != '@') return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const net::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
}

}  // namespace gatepost::server

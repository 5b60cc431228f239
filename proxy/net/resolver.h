// The one background thread, and name resolution on it. Nothing here touches a loop's objects: answers are
// posted home. resolve() from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/executor.h"
#include "proxy/base/result.h"
#include "proxy/net/socket_address.h"

namespace gatepost::net {

/// One thread that runs posted tasks in order, for work that may block: names, big files.
class BackgroundThread final : public Executor {
  public:
    BackgroundThread();
    /// Waits for the task that runs now; the others are destroyed unrun.
    ~BackgroundThread() override;
    BackgroundThread(const BackgroundThread&) = delete;
    BackgroundThread& operator=(const BackgroundThread&) = delete;

    void post(Task task) override;

  private:
    void run();

    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Task> tasks_;
    bool stopping_ = false;
    std::thread thread_;
};

using Addresses = std::vector<SocketAddress>;

/// Splits "host:port", "[v6]:port" or "unix:/path"; nothing when the port is missing or no number from 1 to
/// 65535.
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
};
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

/// The address of a numeric "192.0.2.1:25", "[2001:db8::1]:25" or "unix:/path"; nothing when the DNS has to
/// be asked.
[[nodiscard]] std::optional<SocketAddress> numeric_endpoint(std::string_view text);

/// Blocks, by getaddrinfo(): only for the background thread and for commands. Never empty.
[[nodiscard]] Result<Addresses> resolve_now(const std::string& host_and_port);

class Resolver {
  public:
    using Answer = std::move_only_function<void(Result<Addresses>)>;

    /// `background` and every `home` must outlive their use here.
    explicit Resolver(BackgroundThread& background) : background_(background) {}
    virtual ~Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// `answer` runs exactly once on `home`, never inside this call, unless one of the two threads ends
    /// first. Numeric addresses and unix:/path do not touch the background thread.
    virtual void resolve(std::string host_and_port, Executor& home, Answer answer);

  private:
    BackgroundThread& background_;
};

}  // namespace gatepost::net

// The one background thread, and name resolution on it. Nothing here touches a loop's objects: answers are
// posted home. resolve() from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/executor.h"
#include "proxy/net/socket_address.h"

namespace gatepost::net {

class DnsObserver;

/// One thread that runs posted tasks in order, for work that may block: names, big files.
class BackgroundThread final : public Executor {
  public:
    BackgroundThread();
    /// stop(), and the tasks that were not run are destroyed.
    ~BackgroundThread() override;
    BackgroundThread(const BackgroundThread&) = delete;
    BackgroundThread& operator=(const BackgroundThread&) = delete;

    void post(Task task) override;

    /// Waits for the task that runs now, and runs no other. To be called before an executor is destroyed that
    /// tasks post to.
    void stop();

  private:
    void run();

    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Task> tasks_;
    bool stopping_ = false;
    std::thread thread_;
};

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

struct Resolved {
    /// Never empty, each once, IPv6 in front and else by number: a DNS that turns its answers round does not
    /// look like one that changed them.
    Addresses addresses;
    /// How long they may be used, as the DNS said it, 0 included; Duration::max() for what is no name. See
    /// clamp_ttl().
    Duration ttl{};
    /// There are more than kMostAddresses, or than a DNS message by UDP holds; these are only some. In the
    /// second case the next answer may have others: an address that is missing there need not be gone.
    bool is_cut = false;
    /// Nobody could be asked for IPv6: addresses that were known are the best that there is.
    bool lacks_v6 = false;
};

/// More servers than this behind one name are not used.
inline constexpr std::size_t kMostAddresses = 64;

enum class ResolveFailure {
    kNoSuchName,   ///< there is nothing of that name, or nothing with an address: what was known is over
    kUnavailable,  ///< nobody could be asked: what was known is the best that there is
};

struct ResolveError {
    ResolveFailure failure = ResolveFailure::kUnavailable;
    std::string message;  ///< as in Error
};

using Resolution = std::expected<Resolved, ResolveError>;

/// When to ask again for what holds for `ttl`: after 1 s to 300 s; never (Duration::max()) stays never. The
/// least is 1 s because a TTL of 1 s is how a DNS says that a change is coming, and one question a second for
/// each name costs nobody anything; TTL 0 would be one without end. The most is for changes that nobody had
/// announced by a short TTL.
[[nodiscard]] Duration clamp_ttl(Duration ttl);

/// The order and the number of Resolved::addresses. For those who have their addresses from elsewhere.
[[nodiscard]] Resolved in_order(Addresses addresses, Duration ttl);

/// First what this machine knows by itself (/etc/hosts, by getaddrinfo()), then the DNS. Blocks, up to 16 s:
/// only for the background thread and for commands.
[[nodiscard]] Resolution resolve_now(const std::string& host_and_port, DnsObserver* observer = nullptr);

class Resolver {
  public:
    using Answer = std::move_only_function<void(Resolution)>;

    /// `background` and every `home` must outlive their use here.
    /// `observer`, if any, is told on the background thread, which must have ended before it does.
    explicit Resolver(BackgroundThread& background, DnsObserver* observer = nullptr)
        : background_(background), observer_(observer) {}
    virtual ~Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// `answer` runs exactly once on `home`, never inside this call, unless one of the two threads ends
    /// first. Numeric addresses and unix:/path do not touch the background thread.
    virtual void resolve(std::string host_and_port, Executor& home, Answer answer);

  private:
    BackgroundThread& background_;
    DnsObserver* const observer_;
};

}  // namespace gatepost::net

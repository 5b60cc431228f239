// Asks saslauthd, by its own socket protocol, whether a password is right: one connection a question, without
// ever waiting in the reactor. Never retries: a password must not be judged twice. One client per worker, on
// the thread of its loop; `saslauthd -n` bounds what all workers together get.
//
// As libsasl, and so Postfix, does, what follows the last @ of a name is sent as the realm, which saslauthd
// joins to the name again when started with -r. Without -r PAM and shadow ignore it: ann's password would log
// in as ann@anything, who is somebody else to everything behind. So the first yes for a name with a realm is
// put to the test: it must become a no under a realm that nobody has, and be a yes again (or the no was of a
// password that serves once, or of a directory that failed just then).
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/dialogue/password_service.h"
#include "backends/saslauthd/circuit_breaker.h"
#include "proxy/base/clock.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/socket_address.h"

namespace gatepost::backends {

struct SaslauthdSettings {
    net::SocketAddress socket;  ///< unix: what saslauthd's -m names, with its "/mux"
    std::string service = "smtp";
    std::string realm;  ///< sent with names that have none of their own; a daemon that knows no realms may
                        ///< serve this one alone
    Duration deadline = std::chrono::seconds(5);  ///< for a check as a whole, waiting for a slot included
    std::size_t max_connections = 32;
    std::size_t max_waiting = 1024;
    std::size_t breaker_failures = 5;                         ///< in a row; then kUnavailable at once …
    Duration breaker_pause = std::chrono::seconds(1);         ///< … for so long
    Duration realm_test_interval = std::chrono::minutes(10);  ///< the daemon may be started anew, without -r
};

/// Why a check ended as it did.
enum class SaslauthdOutcome {
    kAccepted,
    kRefused,
    kPasswordTooLong,  ///< refused without asking
    kIgnoresRealms,    ///< refused: it says yes under a realm that nobody has
    kTrouble,          ///< saslauthd says that it could not look; from here on: unavailable
    kConnectFailed,
    kClosed,  ///< before a whole reply
    kNonsense,
    kDeadline,
    kQueueFull,
    kCircuitOpen,
};

/// Told of what happens, on the loop's thread; must not call the client. Never given a password.
class SaslauthdObserver {
  public:
    virtual ~SaslauthdObserver() = default;
    /// A check ended after `took`; may come inside check() when it ended at once. `detail` is printable, or
    /// "".
    virtual void checked(SaslauthdOutcome outcome, std::string_view detail, Duration took) = 0;
    /// Nobody is let through from now on, or everybody again.
    virtual void circuit_changed(bool is_open) = 0;
};

class SaslauthdClient final : public auth::PasswordService {
  public:
    /// `loop` and `observer` must outlive the client.
    SaslauthdClient(net::EventLoop& loop, SaslauthdSettings settings, SaslauthdObserver& observer);
    /// Answers what is still unanswered with kUnavailable.
    ~SaslauthdClient() override;
    SaslauthdClient(const SaslauthdClient&) = delete;
    SaslauthdClient& operator=(const SaslauthdClient&) = delete;

    /// See there. On the loop's thread.
    void check(std::string_view user, const Secret& password, Executor& home,
               std::move_only_function<void(auth::PasswordAnswer)> answer) override;

    [[nodiscard]] std::size_t connections() const noexcept { return running_.size(); }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  private:
    class Check;
    using CheckPointer = std::unique_ptr<Check>;

    [[nodiscard]] bool believes_realms() const { return loop_.now() < realms_are_believed_until_; }
    void ask_again(Check& check);
    void begin_waiting();
    void end(Check& check, SaslauthdOutcome outcome, std::string_view detail);
    void settle(CheckPointer check, SaslauthdOutcome outcome, std::string_view detail);
    void note(const Check& check, SaslauthdOutcome outcome);
    [[nodiscard]] CheckPointer take(Check& check);

    net::EventLoop& loop_;
    const SaslauthdSettings settings_;
    SaslauthdObserver& observer_;
    CircuitBreaker breaker_;
    TimePoint realms_are_believed_until_{};
    std::vector<CheckPointer> running_;
    /// In the order of their deadlines, which are all equally long.
    std::deque<CheckPointer> waiting_;
};

}  // namespace gatepost::backends

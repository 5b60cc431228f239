// The connection of one worker to its Redis: found again, connected again and asked no more than it can bear.
// Commands of one turn leave in one write, each has a deadline, and a lost connection fails at once what was
// in flight; nothing is sent twice. Knows no credentials. On the thread of its loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "backends/redis/redis_breaker.h"
#include "backends/redis/redis_link.h"
#include "backends/redis/redis_observer.h"
#include "backends/redis/redis_url.h"
#include "backends/redis/server_finder.h"
#include "proxy/net/resolver.h"

namespace gatepost::backends {

struct RedisSettings {
    RedisUrl url;
    std::string username;                              ///< instead of the URL's
    std::shared_ptr<const Secret> password;            ///< instead of the URL's
    std::shared_ptr<const net::TlsClientContext> tls;  ///< required by rediss://; of this thread alone
    std::string client_name = "gatepost";
    Duration timeout = std::chrono::seconds(2);          ///< of a command, from command() to its answer
    Duration connect_timeout = std::chrono::seconds(2);  ///< of each address, greetings included
    Duration idle = std::chrono::seconds(15);            ///< then PING
    std::size_t most_waiting = 1024;                     ///< commands, in flight ones included
};

/// What became of one command.
enum class RedisStatus {
    kReply,         ///< the server answered; the answer may be an error
    kTimedOut,      ///< not within the deadline
    kDisconnected,  ///< the connection was lost with the command in flight: it may have been carried out
    kRefused,       ///< not sent: the breaker is open, or too many wait
};

struct RedisOutcome {
    RedisStatus status = RedisStatus::kRefused;
    RedisReply reply;  ///< for kReply
};

class RedisConnection final : private RedisLinkHandler {
  public:
    using Answer = std::move_only_function<void(RedisOutcome)>;

    /// Connects from the next turn on. `resolver` and `observer` must outlive it.
    RedisConnection(net::EventLoop& loop, net::Resolver& resolver, RedisSettings settings,
                    RedisObserver& observer);
    /// Everything unanswered is answered kDisconnected, by loop.defer(). Not inside the observer.
    ~RedisConnection() override;
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    /// `answer` runs exactly once, at the end of a turn, never inside this call; it may destroy the
    /// connection.
    void command(std::span<const ByteView> words, Answer answer);
    void command(std::initializer_list<ByteView> words, Answer answer);

    /// From the next connection on; nullptr or empty = the URL's. Who has no connection tries at once.
    void set_password(std::shared_ptr<const Secret> password);

    [[nodiscard]] bool is_connected() const noexcept { return state_ == State::kReady; }
    [[nodiscard]] std::size_t unanswered() const noexcept { return waiting_.size() + in_flight_.size(); }

  private:
    enum class State { kResting, kFinding, kGreeting, kReady };

    struct Command {
        Answer answer;  ///< none for a PING of our own
        Secret octets;  ///< until it is sent
        TimePoint began;
    };
    using Commands = std::deque<Command>;

    void on_link_ready() override;
    void on_link_reply(RedisReply reply) override;
    void on_link_lost(std::string_view reason) override;

    void connect();
    void on_found(Result<FoundServer> found);
    void greet_next_address();
    void enqueue(Secret octets, Answer answer);
    void send_waiting();
    void answer(Command command, RedisOutcome outcome);
    void fail_all(Commands& commands, RedisStatus status);
    void drop(std::string_view reason);
    void note_failure();
    void tell_breaker();
    void tell_use();
    void watch_deadlines();
    void on_deadline();
    void on_idle();

    net::EventLoop& loop_;
    RedisSettings settings_;
    RedisObserver& observer_;
    std::unique_ptr<ServerFinder> finder_;
    std::unique_ptr<RedisLink> link_;
    FoundServer found_;
    std::size_t next_address_ = 0;

    State state_ = State::kResting;
    Commands waiting_;
    Commands in_flight_;
    RedisBreaker breaker_;
    Backoff backoff_;
    bool was_open_ = false;
    RedisUse told_use_ = RedisUse::kNone;

    net::Timer rest_;           ///< before the next attempt
    net::Timer greeting_time_;  ///< of one address
    net::Timer deadline_;       ///< of the oldest command
    net::Timer idle_;
};

}  // namespace gatepost::backends

#include "backends/redis/redis_connection.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "backends/redis/redis_command.h"
#include "backends/redis/sentinel.h"

namespace gatepost::backends {

namespace {

using Breaker = RedisBreaker::State;

std::unique_ptr<ServerFinder> make_finder(net::EventLoop& loop, net::Resolver& resolver,
                                          const RedisSettings& settings) {
    if (settings.url.master.empty()) {
        return std::make_unique<NameFinder>(loop, resolver, settings.url.servers.front(),
                                            settings.connect_timeout);
    }
    SentinelSettings sentinels{.servers = settings.url.servers, .master = settings.url.master, .link = {}};
    sentinels.link.tls = settings.url.is_tls ? settings.tls : nullptr;
    sentinels.link.client_name = settings.client_name;
    sentinels.patience = std::min(sentinels.patience, settings.connect_timeout);
    return std::make_unique<Sentinel>(loop, resolver, std::move(sentinels));
}

/// Answers that say: this server is not, or is no longer, the one to ask.
bool is_wrong_server(const RedisReply& reply) {
    constexpr std::array<std::string_view, 4> kCodes{"READONLY", "NOAUTH", "MASTERDOWN", "LOADING"};
    return std::ranges::find(kCodes, reply.error_code()) != kCodes.end();
}

}  // namespace

RedisConnection::RedisConnection(net::EventLoop& loop, net::Resolver& resolver, RedisSettings settings,
                                 RedisObserver& observer)
    : loop_(loop),
      settings_(std::move(settings)),
      observer_(observer),
      finder_(make_finder(loop, resolver, settings_)),
      rest_(loop, [this] { connect(); }),
      greeting_time_(loop, [this] { drop("it does not answer in time"); }),
      deadline_(loop, [this] { on_deadline(); }),
      idle_(loop, [this] { on_idle(); }) {
    if (settings_.username.empty()) settings_.username = settings_.url.username;
    if (!settings_.password || settings_.password->empty()) settings_.password = settings_.url.password;
    if (settings_.url.is_tls && !settings_.tls) std::abort();  // never a password without the TLS asked for
    rest_.start(Duration::zero());
}

RedisConnection::~RedisConnection() {
    loop_.assert_here();
    if (link_) link_->close();
    fail_all(in_flight_, RedisStatus::kDisconnected);
    fail_all(waiting_, RedisStatus::kDisconnected);
}

void RedisConnection::set_password(std::shared_ptr<const Secret> password) {
    loop_.assert_here();
    settings_.password = password && !password->empty() ? std::move(password) : settings_.url.password;
    if (state_ == State::kResting) rest_.start(Duration::zero());
}

// ---- commands

void RedisConnection::command(std::initializer_list<ByteView> words, Answer answer) {
    command(std::span(words.begin(), words.size()), std::move(answer));
}

void RedisConnection::command(std::span<const ByteView> words, Answer answer) {
    loop_.assert_here();
    const Breaker breaker = breaker_.state(loop_.now());
    if (breaker == Breaker::kOpen || unanswered() >= settings_.most_waiting) {
        return this->answer({.answer = std::move(answer), .octets = {}, .began = loop_.now()},
                            {.status = RedisStatus::kRefused, .reply = {}});
    }
    enqueue(format_command(words), std::move(answer));
    // Half open: somebody wants an answer, so the probe need not wait for the rest of the backoff.
    if (breaker == Breaker::kHalfOpen && state_ == State::kResting) rest_.start(Duration::zero());
}

void RedisConnection::enqueue(Secret octets, Answer answer) {
    waiting_.push_back({.answer = std::move(answer), .octets = std::move(octets), .began = loop_.now()});
    send_waiting();
    watch_deadlines();
}

/// All of them; but as long as the breaker is half open one, and its answer lets the others go.
void RedisConnection::send_waiting() {
    if (state_ != State::kReady) return;
    const bool is_probing = breaker_.state(loop_.now()) != Breaker::kClosed;
    while (!waiting_.empty() && (!is_probing || in_flight_.empty())) {
        link_->send(waiting_.front().octets.reveal());
        waiting_.front().octets.clear();
        in_flight_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    tell_use();
}

void RedisConnection::answer(Command command, RedisOutcome outcome) {
    if (!command.answer) return;
    loop_.defer([answer = std::move(command.answer), outcome = std::move(outcome)]() mutable {
        answer(std::move(outcome));
    });
}

void RedisConnection::fail_all(Commands& commands, RedisStatus status) {
    for (Command& command : std::exchange(commands, {}))
        answer(std::move(command), {.status = status, .reply = {}});
}

void RedisConnection::watch_deadlines() {
    const bool is_any_in_flight = !in_flight_.empty();
    if (!is_any_in_flight && waiting_.empty()) return deadline_.stop();
    const TimePoint began = (is_any_in_flight ? in_flight_ : waiting_).front().began;
    if (!deadline_.is_pending() || deadline_.due() != began + settings_.timeout)
        deadline_.start(began + settings_.timeout - loop_.now());
}

void RedisConnection::on_deadline() {
    const TimePoint latest = loop_.now() - settings_.timeout;
    const auto expire = [this, latest](Commands& commands) {
        bool is_any = false;
        for (; !commands.empty() && commands.front().began <= latest; is_any = true) {
            answer(std::move(commands.front()), {.status = RedisStatus::kTimedOut, .reply = {}});
            commands.pop_front();
        }
        return is_any;
    };
    // A server that is late with one answer is as good as gone: whoever waits behind it fails now.
    const bool is_late = expire(in_flight_);
    expire(waiting_);
    if (is_late) drop("no answer to a command in time");
    watch_deadlines();
}

void RedisConnection::on_idle() {
    if (state_ != State::kReady || unanswered() != 0) return;
    enqueue(format_command({"PING"}), nullptr);
}

// ---- the connection

void RedisConnection::connect() {
    if (state_ != State::kResting) return;
    state_ = State::kFinding;
    tell_use();
    finder_->find([this](Result<FoundServer> found) { on_found(std::move(found)); });
}

void RedisConnection::on_found(Result<FoundServer> found) {
    if (!found) {
        found_ = {};
        return drop(found.error().message);
    }
    found_ = std::move(*found);
    next_address_ = 0;
    greet_next_address();
}

void RedisConnection::greet_next_address() {
    state_ = State::kGreeting;
    greeting_time_.start(settings_.connect_timeout);
    const RedisLinkSettings link{.tls = settings_.url.is_tls ? settings_.tls : nullptr,
                                 .tls_name = found_.host,
                                 .username = settings_.username,
                                 .password = settings_.password,
                                 .database = settings_.url.database,
                                 .client_name = settings_.client_name,
                                 .must_be_master = !settings_.url.master.empty()};
    link_ = std::make_unique<RedisLink>(loop_, found_.addresses[next_address_++], link,
                                        static_cast<RedisLinkHandler&>(*this));
}

void RedisConnection::on_link_ready() {
    state_ = State::kReady;
    greeting_time_.stop();
    backoff_.reset();
    breaker_.connected();
    tell_breaker();
    observer_.on_redis_connected(link_->address().to_string());
    idle_.start(settings_.idle);
    send_waiting();
    watch_deadlines();
}

void RedisConnection::on_link_reply(RedisReply reply) {
    if (in_flight_.empty()) return drop("it answers what it was not asked");
    Command command = std::move(in_flight_.front());
    in_flight_.pop_front();
    idle_.start(settings_.idle);
    const bool is_wrong = is_wrong_server(reply);
    const std::string code(reply.error_code());
    answer(std::move(command), {.status = RedisStatus::kReply, .reply = std::move(reply)});
    if (is_wrong) return drop("it is not the one to ask: " + code);
    breaker_.succeeded();
    tell_breaker();
    send_waiting();
    watch_deadlines();
}

void RedisConnection::on_link_lost(std::string_view reason) {
    drop(reason);
}

/// Ends an attempt, or a connection: the next one begins at the next address, or after a rest.
void RedisConnection::drop(std::string_view reason) {
    const bool was_greeting = state_ == State::kGreeting;
    const std::string server = link_ ? link_->address().to_string() : std::string();
    greeting_time_.stop();
    idle_.stop();
    if (link_) {
        link_->close();
        loop_.defer([leaving = std::move(link_)] {});  // it may be the one that is calling
    }
    observer_.on_redis_lost(server, reason);
    fail_all(in_flight_, RedisStatus::kDisconnected);
    if (was_greeting && next_address_ < found_.addresses.size()) return greet_next_address();
    state_ = State::kResting;
    tell_use();
    rest_.start(backoff_.next());
    note_failure();
    watch_deadlines();
}

void RedisConnection::note_failure() {
    breaker_.failed(loop_.now());
    tell_breaker();
    if (was_open_) fail_all(waiting_, RedisStatus::kRefused);
}

void RedisConnection::tell_breaker() {
    const bool is_open = breaker_.state(loop_.now()) == Breaker::kOpen;
    if (std::exchange(was_open_, is_open) != is_open) observer_.on_redis_breaker(is_open);
}

void RedisConnection::tell_use() {
    RedisUse use = RedisUse::kNone;
    switch (state_) {
        case State::kResting: break;
        case State::kFinding:
        case State::kGreeting: use = RedisUse::kOpening; break;
        case State::kReady: use = in_flight_.empty() ? RedisUse::kIdle : RedisUse::kActive; break;
    }
    if (std::exchange(told_use_, use) != use) observer_.on_redis_use(use);
}

}  // namespace gatepost::backends

#include "tests/bench/sink_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "tests/bench/sink_tls.h"

namespace gatepost::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 256 * 1024;
constexpr std::size_t kEventsAtOnce = 256;
constexpr int kTicksPerSecond = 50;  // of a limited read rate

struct Connection {
    Connection(int socket, const SinkSettings& settings, MessageTaker* taker, std::uint64_t nth)
        : fd(socket), number(nth), session(settings, taker, nth) {}

    int fd;
    SinkTls tls;  // null without
    std::uint64_t number;
    SinkSession session;
    std::string out;              // what the peer did not take yet
    std::uint32_t watched = 0;    // the epoll events asked for
    Clock::time_point wake_at{};  // while it waits: neither read nor written
    bool waits = false;
    bool broken = false;  // the peer is gone
};

}  // namespace

struct SinkServer::Loop {
    Loop(const SinkOptions& settings, MessageTaker* where)
        : options(settings), taker(where), buffer(kReadSize, '\0') {
        if (!options.key.empty()) tls_context = make_sink_tls_context(options.certificate, options.key);
    }

    void accept_one();
    void on_ready(Connection& connection, std::uint32_t events);
    void read_some(Connection& connection);
    void write_replies(Connection& connection);
    void settle(Connection& connection);
    void pause(Connection& connection, std::chrono::milliseconds delay);
    void watch(Connection& connection, std::uint32_t events) const;
    void close(Connection& connection);
    void wake_sleepers();
    [[nodiscard]] int wait_limit() const;
    void keep_wire(const Connection& connection, std::string_view octets) const;

    const SinkOptions& options;
    MessageTaker* taker;
    SinkTlsContext tls_context;  // null without
    std::string buffer;
    std::string replies;  // of the read at hand
    int epoll = -1;
    int listener = -1;
    std::vector<std::unique_ptr<Connection>> by_fd;
    std::vector<int> sleepers;
    std::uint64_t accepted = 0;
    std::uint64_t messages = 0;
};

SinkServer::SinkServer(const SinkOptions& options, MessageTaker* taker)
    : loop_(std::make_unique<Loop>(options, taker)) {}

SinkServer::~SinkServer() {
    for (const auto& connection : loop_->by_fd)
        if (connection) ::close(connection->fd);
    if (loop_->listener >= 0) ::close(loop_->listener);
    if (loop_->epoll >= 0) ::close(loop_->epoll);
}

void SinkServer::tell(const char* word) const {
    std::printf("%s %llu messages on %llu connections\n", word,
                static_cast<unsigned long long>(loop_->messages),
                static_cast<unsigned long long>(loop_->accepted));
    std::fflush(stdout);
}

std::uint16_t SinkServer::listen() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(loop_->options.port);
    if (inet_pton(AF_INET, loop_->options.address.c_str(), &address.sin_addr) != 1) {
        errno = EINVAL;
        return 0;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, generic, length) != 0 || ::listen(fd, 4096) != 0 || getsockname(fd, generic, &length) != 0)
        return 0;
    loop_->listener = fd;
    loop_->epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(loop_->epoll, EPOLL_CTL_ADD, fd, &event);
    return ntohs(address.sin_port);
}

void SinkServer::run(const volatile std::sig_atomic_t& stop, volatile std::sig_atomic_t& count) {
    std::array<epoll_event, kEventsAtOnce> events{};
    // Delivered only while it waits: one between the look at `stop` and the wait would be missed.
    sigset_t ending;
    sigset_t before;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGUSR1);
    sigprocmask(SIG_BLOCK, &ending, &before);
    while (stop == 0) {
        const int ready =
            epoll_pwait(loop_->epoll, events.data(), kEventsAtOnce, loop_->wait_limit(), &before);
        for (int i = 0; i < ready; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == loop_->listener) {
                loop_->accept_one();
            } else if (Connection* connection = loop_->by_fd[static_cast<std::size_t>(fd)].get()) {
                loop_->on_ready(*connection, events[static_cast<std::size_t>(i)].events);
            }
        }
        if (!loop_->sleepers.empty()) loop_->wake_sleepers();
        if (count != 0) {
            count = 0;
            tell("counted");
        }
    }
}

void SinkServer::Loop::accept_one() {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (by_fd.size() <= static_cast<std::size_t>(fd)) by_fd.resize(static_cast<std::size_t>(fd) + 64);
    auto& slot = by_fd[static_cast<std::size_t>(fd)];
    slot = std::make_unique<Connection>(fd, options.settings, taker, ++accepted);
    replies.clear();
    slot->session.greet(replies);
    write_replies(*slot);
    settle(*slot);
}

void SinkServer::Loop::on_ready(Connection& connection, std::uint32_t events) {
    replies.clear();
    if ((events & EPOLLOUT) != 0) {
        write_replies(connection);
        settle(connection);
    } else {
        read_some(connection);
    }
}

void SinkServer::Loop::read_some(Connection& connection) {
    const std::size_t at_once =
        options.read_rate == 0 ? kReadSize
                               : std::clamp<std::size_t>(options.read_rate / kTicksPerSecond, 1, kReadSize);
    const ssize_t got =
        connection.tls ? read_tls(*connection.tls, buffer) : recv(connection.fd, buffer.data(), at_once, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) close(connection);
        return;
    }
    const std::string_view octets(buffer.data(), static_cast<std::size_t>(got));
    if (!options.wire.empty()) keep_wire(connection, octets);
    const std::uint64_t before = connection.session.messages();
    connection.session.on_bytes(octets, replies);
    messages += connection.session.messages() - before;
    write_replies(connection);
    settle(connection);
}

/// One write; the rest waits for the peer.
void SinkServer::Loop::write_replies(Connection& connection) {
    if (connection.session.is_endless() && connection.out.empty())
        replies.assign(kReadSize, 'x').replace(0, 6, "\r\n250-");
    std::string& from = connection.out.empty() ? replies : connection.out;
    if (!connection.out.empty()) connection.out.append(replies);
    if (from.empty()) return;
    const ssize_t sent = connection.tls ? write_tls(*connection.tls, from)
                                        : send(connection.fd, from.data(), from.size(), MSG_NOSIGNAL);
    connection.broken = sent == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR);
    const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    if (&from == &connection.out)
        connection.out.erase(0, done);
    else if (done < from.size())
        connection.out.assign(from, done);
}

/// After each event: what this connection waits for next.
void SinkServer::Loop::settle(Connection& connection) {
    SinkSession& session = connection.session;
    if (connection.broken || (session.wants_close() && connection.out.empty())) return close(connection);
    if (session.is_delayed()) return pause(connection, session.delay());
    if (!connection.out.empty() || session.is_endless()) return watch(connection, EPOLLOUT);
    if (session.wants_tls()) {
        connection.tls = start_sink_tls(*tls_context, connection.fd);
        session.on_tls();
    }
    if (options.read_rate != 0) return pause(connection, std::chrono::milliseconds(1000 / kTicksPerSecond));
    watch(connection, EPOLLIN);
}

void SinkServer::Loop::pause(Connection& connection, std::chrono::milliseconds delay) {
    watch(connection, 0);
    connection.wake_at = Clock::now() + delay;
    connection.waits = true;
    if (std::ranges::find(sleepers, connection.fd) == sleepers.end()) sleepers.push_back(connection.fd);
}

void SinkServer::Loop::watch(Connection& connection, std::uint32_t events) const {
    if (connection.watched == events) return;
    epoll_event event{.events = events, .data = {.fd = connection.fd}};
    const int operation = connection.watched == 0 ? EPOLL_CTL_ADD
                          : events == 0           ? EPOLL_CTL_DEL
                                                  : EPOLL_CTL_MOD;
    epoll_ctl(epoll, operation, connection.fd, &event);
    connection.watched = events;
}

void SinkServer::Loop::close(Connection& connection) {
    const int fd = connection.fd;
    if (connection.session.wants_reset()) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    if (connection.tls && !connection.session.wants_reset() && !connection.broken) end_tls(*connection.tls);
    by_fd[static_cast<std::size_t>(fd)].reset();
    ::close(fd);
}

void SinkServer::Loop::wake_sleepers() {
    const Clock::time_point now = Clock::now();
    const std::vector<int> before = std::exchange(sleepers, {});
    for (const int fd : before) {
        Connection* connection = by_fd[static_cast<std::size_t>(fd)].get();
        if (connection == nullptr || !connection->waits) continue;
        if (connection->wake_at > now) {
            sleepers.push_back(fd);
            continue;
        }
        connection->waits = false;
        replies.clear();
        if (connection->session.is_delayed()) {
            const std::uint64_t had = connection->session.messages();
            connection->session.resume(replies);
            messages += connection->session.messages() - had;
            write_replies(*connection);
            settle(*connection);
        } else {
            watch(*connection, EPOLLIN);
        }
    }
}

int SinkServer::Loop::wait_limit() const {
    Clock::time_point first = Clock::time_point::max();
    for (const int fd : sleepers)
        if (const Connection* connection = by_fd[static_cast<std::size_t>(fd)].get(); connection != nullptr)
            first = std::min(first, connection->wake_at);
    if (first == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
}

void SinkServer::Loop::keep_wire(const Connection& connection, std::string_view octets) const {
    for (const std::string& name :
         {options.wire.string(), options.wire.string() + "." + std::to_string(connection.number)})
        std::ofstream(name, std::ios::binary | std::ios::app)
            .write(octets.data(), static_cast<std::streamsize>(octets.size()));
}

}  // namespace gatepost::bench

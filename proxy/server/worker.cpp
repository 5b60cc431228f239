#include "proxy/server/worker.h"

#include <array>
#include <charconv>
#include <future>
#include <random>
#include <signal.h>
#include <sys/socket.h>
#include <utility>

#include "proxy/smtp/reply_catalog.h"

namespace gatepost::server {
namespace {

/// Handshakes in progress on one worker. Each may hold some 40 KiB and costs a fifth of a millisecond to
/// finish.
constexpr std::size_t kMaxHandshakes = 1024;

constexpr unsigned kWorkerBits = 8;

/// A last word, as far as the socket takes it at once. Under implicit TLS there is nothing that could be
/// said.
void say_too_many(const ListenerPlan& listener, int socket) {
    if (listener.tls == conf::ListenerTls::Implicit) return;
    std::string reply;
    smtp::append(reply, smtp::replies::kTooManyConnections);
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string base36(std::uint64_t number) {
    std::array<char, 16> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number, 36);
    return {text.data(), error == std::errc() ? end : text.data()};
}

}  // namespace

Worker::Worker(unsigned number, const WorkerParts& parts)
    : number_(number),
      parts_(parts),
      meter_(loop_, parts.registry.add_process_worker(), observe::WorkerIndex{number}),
      metrics_(parts.registry.add_worker()),
      handshakes_(kMaxHandshakes),
      limits_(parts.limit_stores.open(loop_, metrics_).store),
      acceptors_(std::make_unique<Acceptors>(
          loop_, [this](std::size_t listener, net::UniqueFd socket,
                        const net::SocketAddress& peer) { take_over(listener, std::move(socket), peer); })),
      next_id_(std::uint64_t{number} << (64 - kWorkerBits)),
      id_prefix_(std::random_device()()) {}

Worker::~Worker() {
    stop();
    for (const auto& [id, connection] : connections_) connection->generation().leave();
    connections_.clear();
}

/// A generation is made of what belongs to this thread's loop, and of what the main thread may touch: so the
/// one works while the other waits. Workers wait for nobody, so this ends.
Result<void> Worker::run_there(std::function<Result<void>()> task) {
    if (!thread_.joinable()) return task();
    std::promise<Result<void>> promise;
    std::future<Result<void>> done = promise.get_future();
    loop_.post([&task, &promise] { promise.set_value(task()); });
    return done.get();
}

Result<void> Worker::prepare(const GenerationParts& parts) {
    return run_there([&] { return make_generation(parts); });
}

Result<void> Worker::make_generation(const GenerationParts& parts) {
    auto made = WorkerGeneration::make(
        {.worker = number_, .loop = loop_, .receiver = *this, .limits = limits_}, parts);
    if (!made) return std::unexpected(made.error());
    generations_.emplace(parts.number, std::move(*made));
    return {};
}

void Worker::serve(std::uint64_t generation, std::vector<Acceptors::Door> doors) {
    loop_.post([this, generation, doors = std::move(doors)]() mutable {
        if (acceptors_) acceptors_->serve(std::move(doors));
        if (current_ != nullptr) current_->drain();
        current_ = generations_.at(generation).get();
        note_idle();
    });
}

void Worker::drop(std::uint64_t generation) {
    loop_.post([this, generation] {
        const auto dropped = generations_.find(generation);
        if (dropped == generations_.end()) return;
        dropped->second->drain();
        generations_.erase(dropped);
        parts_.generation_gone(generation);
    });
}

/// Those that are prepared and not yet served are younger than the current one.
void Worker::note_idle() {
    for (auto it = generations_.begin(); it != generations_.end() && it->second.get() != current_; ++it) {
        if (it->second->connections() == 0 && it->second->tell_idle()) parts_.generation_idle(it->first);
    }
}

void Worker::in_generation(std::uint64_t number, std::move_only_function<void(WorkerGeneration&)> task) {
    loop_.post([this, number, task = std::move(task)]() mutable {
        if (const auto found = generations_.find(number); found != generations_.end()) task(*found->second);
    });
}

void Worker::start() {
    thread_ = std::thread([this] {
        // Signals are the main thread's business.
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
        loop_.run();
    });
}

void Worker::stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
}

void Worker::adopt(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer) {
    post_awaited([this, listener, socket = std::move(socket), peer]() mutable {
        take_over(listener, std::move(socket), peer);
    });
}

void Worker::post_awaited(std::move_only_function<void()> task) {
    awaited_.fetch_add(1, std::memory_order_relaxed);
    loop_.post([this, task = std::move(task)]() mutable {
        task();
        awaited_.fetch_sub(1, std::memory_order_release);
    });
}

/// What becomes the next thing is looked at after what it was before: a socket handed over, a session, its
/// last word.
bool Worker::is_quiet() const noexcept {
    return awaited_.load(std::memory_order_acquire) == 0 && connections() == 0 && loop_.residents() == 0;
}

void Worker::take_over(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer) {
    const ListenerPlan& plan = current_->plan().listeners[listener];
    current_->metrics().connection_accepted(plan.index);
    ConnectionSlot slot = plan.slots->take();
    if (!slot) {
        current_->facts().rejected(plan.index, plan.name, peer.ip_string(), conf::RejectReason::kLimit);
        return say_too_many(plan, socket.get());
    }
    const ConnectionId id{++next_id_};
    auto connection =
        std::make_unique<Connection>(*this, id, *current_, plan, std::move(slot), std::move(socket), peer);
    Connection& started = *connection;
    current_->enter();
    connections_.emplace(id.value, std::move(connection));
    note_load();
    started.start();
    if (draining_) started.drain();
}

void Worker::set_snapshot(std::uint64_t generation, std::size_t upstream,
                          std::shared_ptr<const upstream::Snapshot> snapshot) {
    in_generation(generation, [upstream, snapshot = std::move(snapshot)](WorkerGeneration& its) mutable {
        its.set_snapshot(upstream, std::move(snapshot));
    });
}

void Worker::set_servable(std::uint64_t generation, Servable servable) {
    in_generation(generation, [servable = std::move(servable)](WorkerGeneration& its) mutable {
        its.set_servable(std::move(servable));
    });
}

void Worker::stop_accepting() {
    post_awaited([this] { acceptors_->close(); });
}

void Worker::drain() {
    post_awaited([this] {
        draining_ = true;
        for (const auto& [number, generation] : generations_) generation->drain();
        for (const auto& [id, connection] : connections_) connection->drain();
    });
}

void Worker::drain_expired() {
    post_awaited([this] {
        for (const auto& [id, connection] : connections_) note_cut(connection->drain_expired());
    });
}

void Worker::abort_all() {
    post_awaited([this] {
        for (const auto& [id, connection] : connections_) note_cut(connection->abort());
    });
}

std::string Worker::session_id(ConnectionId id) const {
    const std::uint64_t serial = id.value & (~std::uint64_t{0} >> kWorkerBits);
    return base36(id_prefix_) + "-" + base36(number_) + "-" + base36(serial);
}

void Worker::later(ConnectionId id, std::move_only_function<void(Connection&)> task) {
    loop_.defer([this, id, task = std::move(task)]() mutable {
        if (const auto found = connections_.find(id.value); found != connections_.end()) task(*found->second);
    });
}

void Worker::reap(ConnectionId id) {
    loop_.defer([this, id] { destroy(id); });
}

void Worker::destroy(ConnectionId id) {
    const auto found = connections_.find(id.value);
    if (found == connections_.end()) return;
    WorkerGeneration& generation = found->second->generation();
    connections_.erase(found);
    generation.leave();
    if (&generation != current_) note_idle();
    note_load();
}

void Worker::on_verdict(ConnectionId id, auth::Verdict verdict) {
    loop_.assert_here();
    if (const auto found = connections_.find(id.value); found != connections_.end()) {
        found->second->on_verdict(std::move(verdict));
    }
}

void Worker::on_limits(ConnectionId id, std::uint64_t question, policy::LimitAnswers answers) {
    if (const auto forgotten = forgotten_limits_.extract({id.value, question})) {
        std::vector<policy::LimitQuestion> undone = policy::undo_of(forgotten.mapped(), answers, loop_.now());
        if (undone.empty()) return;
        return limits().ask(std::move(undone), loop_.now(), loop_, [](const policy::LimitAnswers&) {});
    }
    if (const auto found = connections_.find(id.value); found != connections_.end()) {
        found->second->on_limits(question, std::move(answers));
    }
}

void Worker::note_load() noexcept {
    count_.store(connections_.size(), std::memory_order_release);
    load_.store(connections_.size() + 4 * handshakes_.taken(), std::memory_order_relaxed);
}

}  // namespace gatepost::server

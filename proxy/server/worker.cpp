#include "proxy/server/worker.h"

#include <array>
#include <charconv>
#include <optional>
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

Worker::Worker(unsigned number, const WorkerParts& parts, observe::WorkerMetrics& metrics)
    : number_(number),
      parts_(parts),
      metrics_(metrics),
      facts_(parts.log, parts.registry, metrics),
      handshakes_(kMaxHandshakes),
      verifier_metrics_(parts.registry, metrics),
      verifier_(
          parts.authenticators.make_verifier(loop_, *this, parts.registry, metrics, &verifier_metrics_)),
      limits_(parts.limit_stores.open(loop_, metrics).store),
      offers_(parts.plan->listeners.size()),
      servable_(parts.authenticators.servable()),
      next_id_(std::uint64_t{number} << (64 - kWorkerBits)),
      id_prefix_(std::random_device()()) {}

Result<std::unique_ptr<Worker>> Worker::make(unsigned number, const WorkerParts& parts) {
    std::unique_ptr<Worker> worker(new Worker(number, parts, parts.registry.add_worker()));
    if (const Result<void> made = worker->make_pools(); !made) return std::unexpected(made.error());
    for (const ListenerPlan& listener : parts.plan->listeners) {
        if (listener.tls == conf::ListenerTls::None) {
            worker->tls_contexts_.push_back(nullptr);
            continue;
        }
        Result<std::unique_ptr<net::TlsContext>> context = net::TlsContext::make(listener.tls_settings);
        if (!context) return std::unexpected(context.error());
        worker->tls_contexts_.push_back(std::move(*context));
    }
    return worker;
}

Result<void> Worker::make_pools() {
    const Plan& plan = *parts_.plan;
    for (std::size_t i = 0; i < plan.upstreams.size(); ++i) {
        Result<upstream::PoolSettings> settings = make_pool_settings(plan, i, number_);
        if (!settings) return std::unexpected(settings.error());
        Upstream& upstream = upstreams_.emplace_back();
        upstream.metrics = std::make_unique<PoolMetrics>(metrics_, plan.upstreams[i].index,
                                                         plan.upstreams[i].first_endpoint, parts_.served);
        upstream.pool = std::make_unique<upstream::Pool>(loop_, std::move(*settings), *parts_.pool_groups[i],
                                                         *upstream.metrics);
    }
    return {};
}

Worker::~Worker() {
    stop();
    connections_.clear();
}

void Worker::accept_from(std::size_t listener, net::UniqueFd listening) {
    acceptors_.push_back(std::make_unique<net::Acceptor>(
        loop_, std::move(listening), [this, listener](net::UniqueFd socket, const net::SocketAddress& peer) {
            take_over(listener, std::move(socket), peer);
        }));
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
    loop_.post([this, listener, socket = std::move(socket), peer]() mutable {
        take_over(listener, std::move(socket), peer);
    });
}

void Worker::take_over(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer) {
    const ListenerPlan& plan = parts_.plan->listeners[listener];
    metrics_.connection_accepted(plan.index);
    ConnectionSlot slot = plan.slots->take();
    if (!slot) {
        facts_.rejected(plan.index, plan.name, peer.ip_string(), conf::RejectReason::kLimit);
        return say_too_many(plan, socket.get());
    }
    const ConnectionId id{++next_id_};
    auto connection =
        std::make_unique<Connection>(*this, id, parts_.plan, plan, std::move(slot), std::move(socket), peer);
    Connection& started = *connection;
    connections_.emplace(id.value, std::move(connection));
    note_load();
    started.start();
    if (draining_) started.drain();
}

void Worker::set_snapshot(std::size_t upstream, std::shared_ptr<const upstream::Snapshot> snapshot) {
    loop_.post([this, upstream, snapshot = std::move(snapshot)]() mutable {
        upstreams_[upstream].snapshot = snapshot;
        upstreams_[upstream].pool->set_snapshot(std::move(snapshot));
        for (std::size_t i = 0; i < offers_.size(); ++i) {
            std::optional<smtp::Capabilities> all;
            for (const std::size_t reached : parts_.plan->listeners[i].reaches) {
                const smtp::Capabilities one = upstreams_[reached].snapshot->offer();
                all = all ? all->intersect(one) : one;
            }
            offers_[i] = all.value_or(smtp::Capabilities());
        }
    });
}

const smtp::Capabilities& Worker::offer(const ListenerPlan& listener) const {
    return offers_[static_cast<std::size_t>(listener.index)];
}

void Worker::set_servable(Servable servable) {
    loop_.post([this, servable = std::move(servable)]() mutable { servable_ = std::move(servable); });
}

void Worker::stop_accepting() {
    loop_.post([this] { acceptors_.clear(); });
}

void Worker::drain() {
    loop_.post([this] {
        draining_ = true;
        for (const Upstream& upstream : upstreams_) upstream.pool->drain();
        for (const auto& [id, connection] : connections_) connection->drain();
    });
}

void Worker::drain_expired() {
    loop_.post([this] {
        for (const auto& [id, connection] : connections_) connection->drain_expired();
    });
}

void Worker::abort_all() {
    loop_.post([this] {
        for (const auto& [id, connection] : connections_) connection->abort();
    });
}

const net::TlsContext& Worker::tls_context(const ListenerPlan& listener) const {
    return *tls_contexts_[static_cast<std::size_t>(listener.index)];
}

void Worker::describe_upstream(std::size_t upstream, SessionContext& context) const {
    const UpstreamPlan& plan = parts_.plan->upstreams[upstream];
    context.upstream = plan.index;
    context.upstream_name = plan.name;
    context.endpoint_name.clear();
}

void Worker::describe_endpoint(std::size_t endpoint, const std::string& name, SessionContext& context) const {
    const UpstreamPlan& plan = parts_.plan->upstreams[static_cast<std::size_t>(context.upstream)];
    context.endpoint = observe::EndpointIndex{static_cast<std::uint32_t>(plan.first_endpoint + endpoint)};
    context.endpoint_name = name;
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
    loop_.defer([this, id] {
        connections_.erase(id.value);
        note_load();
    });
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
    count_.store(connections_.size(), std::memory_order_relaxed);
    load_.store(connections_.size() + 4 * handshakes_.taken(), std::memory_order_relaxed);
}

}  // namespace gatepost::server

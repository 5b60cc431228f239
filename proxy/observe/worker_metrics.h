// What one thread counts: one method per fact, so that callers never see a metric's name. Plain cells of
// relaxed atomics with one writer, no lock, no allocation: a few nanoseconds a fact. Its thread writes, the
// scrape reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "conf/metrics.h"
#include "proxy/base/clock.h"
#include "proxy/observe/metrics_layout.h"

namespace gatepost::observe {

class WorkerMetrics {
    using Metric = conf::Metric;

  public:
    /// Made by MetricsRegistry::add_worker(); `layout` outlives it.
    explicit WorkerMetrics(const MetricsLayout& layout);
    WorkerMetrics(const WorkerMetrics&) = delete;
    WorkerMetrics& operator=(const WorkerMetrics&) = delete;

    // Connections. The acceptor says accepted or rejected; the worker that owns the connection says opened
    // and, exactly once for it, closed.
    void connection_accepted(ListenerIndex listener) { add<Metric::connections_accepted_total>(1, listener); }
    void connection_rejected(ListenerIndex listener, conf::RejectReason reason) {
        add<Metric::connections_rejected_total>(1, listener, reason);
    }
    /// It begins with kGreeting, and ends with the phase that it moved to last.
    void connection_opened(ListenerIndex listener) {
        add<Metric::connections_active>(1, listener);
        add<Metric::sessions_active>(1, listener, conf::SessionPhase::kGreeting);
    }
    void session_moved(ListenerIndex listener, conf::SessionPhase from, conf::SessionPhase to) {
        add<Metric::sessions_active>(kMinusOne, listener, from);
        add<Metric::sessions_active>(1, listener, to);
    }
    void connection_closed(ListenerIndex listener, conf::CloseReason reason, conf::SessionPhase phase,
                           Duration lifetime) {
        add<Metric::connections_active>(kMinusOne, listener);
        add<Metric::sessions_active>(kMinusOne, listener, phase);
        add<Metric::connections_closed_total>(1, listener, reason);
        observe<Metric::connection_duration_seconds>(lifetime, listener);
    }
    void received(ListenerIndex listener, std::uint64_t octets) {
        add<Metric::received_bytes_total>(octets, listener);
    }
    void sent(ListenerIndex listener, std::uint64_t octets) {
        add<Metric::sent_bytes_total>(octets, listener);
    }
    void proxy_header(ListenerIndex listener, conf::ProxyVersion version, conf::ProxyResult result) {
        add<Metric::proxy_protocol_headers_total>(1, listener, version, result);
    }

    // TLS towards clients.
    void tls_established(ListenerIndex listener, conf::HandshakeMode mode, conf::TlsProtocol protocol,
                         bool resumed, Duration took) {
        add<Metric::tls_handshakes_total>(1, listener, mode, protocol);
        if (resumed) add<Metric::tls_sessions_resumed_total>(1, listener);
        observe<Metric::tls_handshake_duration_seconds>(took, listener);
    }
    void tls_failed(ListenerIndex listener, conf::HandshakeMode mode, conf::TlsFailure reason) {
        add<Metric::tls_handshake_failures_total>(1, listener, mode, reason);
    }

    void certificate_loaded(CertificateIndex certificate, conf::LoadResult result) {
        add<Metric::tls_certificate_loads_total>(1, certificate, result);
    }

    // The process.
    void config_reloaded(conf::ReloadTriggerLabel trigger, conf::LoadResult result) {
        add<Metric::config_reloads_total>(1, trigger, result);
    }
    void dns_answered(conf::DnsType type, conf::DnsResult result, Duration took) {
        add<Metric::dns_lookups_total>(1, type, result);
        observe<Metric::dns_lookup_duration_seconds>(took, type);
    }
    void worker_busy(WorkerIndex worker, Duration more) {
        add<Metric::worker_busy_seconds_total>(static_cast<std::uint64_t>(more.count()), worker);
    }
    void loop_lagged(Duration late) { observe<Metric::worker_loop_lag_seconds>(late); }
    /// `change` may be negative.
    void buffers_changed(std::int64_t change) {
        add<Metric::buffers_in_use_bytes>(static_cast<std::uint64_t>(change));
    }
    void drain_cut_transaction() { add<Metric::drain_transactions_cut_total>(1); }

    // The session. `took` is from the AUTH command to its last reply.
    void auth_finished(ListenerIndex listener, MechanismIndex mechanism, BackendIndex backend,
                       conf::AuthResult result, Duration took) {
        add<Metric::auth_attempts_total>(1, listener, mechanism, backend, result);
        observe<Metric::auth_duration_seconds>(took, backend, conf::auth_outcome_of(result));
    }
    // Credential backends that are servers.
    /// None: there is no connection yet, or any more.
    void backend_connection_moved(BackendIndex backend, std::optional<conf::PoolState> from,
                                  std::optional<conf::PoolState> to) {
        if (!layout_.is_configured(backend)) return;
        if (from) add<Metric::auth_backend_connections>(kMinusOne, backend, *from);
        if (to) add<Metric::auth_backend_connections>(1, backend, *to);
    }
    void auth_blocked(conf::GuessingScope scope) { add<Metric::auth_blocked_attempts_total>(1, scope); }
    void auth_block_begun(conf::GuessingScope scope) {
        add<Metric::auth_blocks_total>(1, scope, conf::BlockReason::kFailures);
    }
    void auth_delayed() { add<Metric::auth_delayed_attempts_total>(1); }
    void limit_decided(LimitIndex limit, conf::LimitDecision decision) {
        add<Metric::rate_limit_decisions_total>(1, limit, decision);
    }
    void policy_decided(conf::PolicyLabel policy, conf::PolicyDecision decision) {
        add<Metric::policy_decisions_total>(1, policy, decision);
    }
    void auth_cache_looked_up(BackendIndex backend, conf::CacheResult result) {
        if (!layout_.is_configured(backend)) return;
        add<Metric::auth_cache_lookups_total>(1, backend, result);
    }
    void auth_backend_answered(BackendIndex backend, conf::BackendResult result, Duration took) {
        if (!layout_.is_configured(backend)) return;
        add<Metric::auth_backend_requests_total>(1, backend, result);
        observe<Metric::auth_backend_request_duration_seconds>(took, backend);
    }
    void limit_store_answered(Duration took) {
        observe<Metric::rate_limit_store_request_duration_seconds>(took, 0U);
    }
    void limit_store_failed() { add<Metric::rate_limit_store_errors_total>(1, 0U); }
    void command_answered(ListenerIndex listener, conf::CommandVerb verb, conf::ReplyClass reply) {
        add<Metric::smtp_commands_total>(1, listener, verb, reply);
    }
    void command_took(conf::CommandVerb verb, Duration took) {
        observe<Metric::smtp_command_duration_seconds>(took, verb);
    }
    void protocol_error(ListenerIndex listener, conf::ProtocolError reason) {
        add<Metric::smtp_protocol_errors_total>(1, listener, reason);
    }
    /// A mail transaction ended: what it was, and how long it took, from MAIL to the last reply.
    struct Message {
        conf::MessageResult result = conf::MessageResult::kAborted;
        conf::Origin origin = conf::Origin::kGateway;
        std::uint64_t octets = 0;      ///< sent to the upstream
        std::uint64_t recipients = 0;  ///< accepted
        Duration took{};
        Duration overhead{};  ///< of this, what is Gatepost's own
    };
    void message_finished(ListenerIndex listener, UpstreamIndex upstream, const Message& message) {
        add<Metric::messages_total>(1, listener, upstream, message.result, message.origin);
        add<Metric::message_bytes_total>(message.octets, upstream, message.result);
        observe<Metric::message_duration_seconds>(message.took, upstream, message.result);
        if (message.result != conf::MessageResult::kAccepted) return;
        observe<Metric::message_size_bytes>(message.octets, upstream);
        observe<Metric::message_recipients>(message.recipients, upstream);
        observe<Metric::message_overhead_seconds>(message.overhead, upstream);
    }
    void recipient_answered(UpstreamIndex upstream, conf::RecipientResult result, conf::Origin origin) {
        add<Metric::recipients_total>(1, upstream, result, origin);
    }

    // Upstreams. `took` is from connecting to the answer to EHLO.
    void upstream_tls_established(UpstreamIndex upstream, conf::TlsProtocol protocol) {
        add<Metric::upstream_tls_handshakes_total>(1, upstream, protocol);
    }
    void upstream_tls_failed(UpstreamIndex upstream, conf::UpstreamTlsFailure reason) {
        add<Metric::upstream_tls_handshake_failures_total>(1, upstream, reason);
    }
    void upstream_sent(UpstreamIndex upstream, std::uint64_t octets) {
        add<Metric::upstream_sent_bytes_total>(octets, upstream);
    }
    void upstream_took(UpstreamIndex upstream, conf::UpstreamCommand command, Duration took) {
        observe<Metric::upstream_reply_duration_seconds>(took, upstream, command);
    }
    void upstream_acquired(UpstreamIndex upstream, conf::AcquireResult result) {
        add<Metric::upstream_pool_acquires_total>(1, upstream, result);
    }
    void upstream_waiting(UpstreamIndex upstream, bool more) {
        add<Metric::upstream_pool_waiting>(more ? 1 : kMinusOne, upstream);
    }
    void upstream_waited(UpstreamIndex upstream, Duration how_long) {
        observe<Metric::upstream_pool_wait_seconds>(how_long, upstream);
    }
    void upstream_replaced(UpstreamIndex upstream) { add<Metric::upstream_replaced_total>(1, upstream); }
    void upstream_connected(EndpointIndex endpoint, conf::ConnectResult result, Duration took) {
        add<Metric::upstream_connects_total>(1, endpoint, result);
        if (result != conf::ConnectResult::kOk) return;
        observe<Metric::upstream_connect_duration_seconds>(took, layout_.upstream_of(endpoint));
    }
    void upstream_replied(UpstreamIndex upstream, conf::UpstreamVerb verb, conf::UpstreamReplyClass reply) {
        add<Metric::upstream_replies_total>(1, upstream, verb, reply);
    }
    void health_checked(EndpointIndex endpoint, conf::HealthResult result) {
        add<Metric::upstream_health_checks_total>(1, endpoint, result);
    }

    void admin_answered(conf::AdminRoute route, conf::CodeClass code) {
        add<Metric::admin_requests_total>(1, route, code);
    }

    /// For the scrape, any thread: the value of one cell as its writer left it last.
    [[nodiscard]] std::uint64_t cell(std::size_t index) const noexcept {
        return cells_[index].load(std::memory_order_relaxed);
    }

  private:
    using Cell = std::atomic<std::uint64_t>;
    static constexpr std::uint64_t kMinusOne = ~std::uint64_t{0};

    // One writer: a load and a store, no locked instruction.
    void bump(std::size_t index, std::uint64_t count) noexcept {
        Cell& cell = cells_[index];
        cell.store(cell.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }

    template <conf::Metric kMetric, typename... Index>
    void add(std::uint64_t count, Index... index) noexcept {
        bump(layout_.cell_of<kMetric>(index...), count);
    }

    template <conf::Metric kMetric, typename... Index>
    void observe(Duration took, Index... index) noexcept {
        static_assert(conf::is_in_seconds(conf::row_of(kMetric)));
        // Whole nanoseconds add up to the same in any order, so that no sum goes back over a reload.
        const auto counted = static_cast<std::uint64_t>(std::max(took, Duration::zero()).count());
        sort_in<kMetric>(std::chrono::duration<double>(took).count(), counted, index...);
    }

    template <conf::Metric kMetric, typename... Index>
    void observe(std::uint64_t amount, Index... index) noexcept {
        static_assert(!conf::is_in_seconds(conf::row_of(kMetric)));
        sort_in<kMetric>(static_cast<double>(amount), amount, index...);
    }

    template <conf::Metric kMetric, typename... Index>
    void sort_in(double value, std::uint64_t counted, Index... index) noexcept {
        constexpr std::span<const double> kBuckets = conf::row_of(kMetric).buckets;
        const std::size_t first = layout_.cell_of<kMetric>(index...);
        std::size_t bucket = 0;
        while (bucket < kBuckets.size() && value > kBuckets[bucket]) ++bucket;
        bump(first + bucket, 1);
        bump(first + kBuckets.size() + 1, counted);
    }

    const MetricsLayout& layout_;
    std::unique_ptr<Cell[]> cells_;
};

}  // namespace gatepost::observe

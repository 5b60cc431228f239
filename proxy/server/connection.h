// One client connection: turns callbacks of its transports into events, and actions into writes. Owns the
// conversation, both transports, the deadline and the slots; holds no policy. On its worker's thread;
// destroyed only by the worker.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "conf/metrics.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/net/timer.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/transport.h"
#include "proxy/server/fact_sink.h"
#include "proxy/server/operations.h"
#include "proxy/server/plan.h"
#include "proxy/session/conversation.h"
#include "proxy/upstream/pool.h"

namespace gatepost::server {

class Worker;
class WorkerGeneration;

class Connection final : private net::TransportHandler, private session::Actions {
  public:
    /// `generation`, of which `listener` is, outlives the connection. Nothing happens before start().
    Connection(Worker& worker, ConnectionId id, WorkerGeneration& generation, const ListenerPlan& listener,
               ConnectionSlot slot, net::UniqueFd socket, const net::SocketAddress& peer);
    ~Connection() override;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] WorkerGeneration& generation() noexcept { return generation_; }

    void start();
    void on_verdict(auth::Verdict verdict);
    /// To the question of this number.
    void on_limits(std::uint64_t question, policy::LimitAnswers answers);
    void drain();
    /// Ends at once, whatever is under way. False: it had ended already.
    bool abort();
    /// The time to drain is over: as abort(), but for a message whose answer is awaited (decisions 7).
    bool drain_expired();
    /// An operator ends it: 421 where the client can hear it; a message whose answer is awaited is waited
    /// for.
    void kick();
    /// As `gatepost who` shows it; none when it is about to be gone.
    [[nodiscard]] std::optional<SessionRow> row() const;

  private:
    // net::TransportHandler
    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override;
    void on_tls_established(net::Transport& transport) override;
    void on_drained(net::Transport& transport) override;
    void on_closed(net::Transport& transport, net::CloseCause cause) override;

    // session::Actions
    void send_to_client(ByteView octets) override;
    void send_to_upstream(ByteView octets) override;
    void admit_client() override;
    bool take_handshake_slot() override;
    void start_tls() override;
    void ask_verifier(auth::Step step) override;
    void cancel_verifier() override;
    void ask_limits(std::vector<policy::LimitQuestion> questions) override;
    void forget_limits(std::vector<policy::LimitQuestion> asked) override;
    void charge_limits(std::vector<policy::LimitQuestion> questions) override;
    void open_upstream(const session::UpstreamWanted& wanted) override;
    void leave_upstream(session::UpstreamGoodbye goodbye) override;
    void set_deadline(Duration from_now) override;
    void resume_client() override;
    void report(const session::Fact& fact) override;
    void close(session::CloseReason reason) override;

    [[nodiscard]] std::size_t take_proxy_header(ByteView bytes);
    [[nodiscard]] std::size_t show_to_conversation(ByteView bytes);
    void proxy_failed(conf::ProxyVersion version, conf::ProxyResult result, std::string_view reason);
    [[nodiscard]] session::AuthOffer auth_offer() const;
    [[nodiscard]] std::string certificate_name() const;
    [[nodiscard]] auth::Channel channel_for(std::string_view mechanism) const;
    void begin_session(net::TlsStart tls_start);
    void begin_implicit_tls();
    void client_closed(net::CloseCause cause);
    void upstream_answered(std::expected<upstream::Lease, upstream::OpeningFailure> outcome);
    [[nodiscard]] bool is_upstream_congested() const { return lease_ && lease_->transport->is_congested(); }
    void on_deadline();
    void after_event();
    void end(conf::CloseReason reason);

    Worker& worker_;
    const ConnectionId id_;
    WorkerGeneration& generation_;
    const ListenerPlan& listener_;
    ConnectionSlot slot_;
    net::HandshakeSlots::Slot handshake_;
    net::SocketAddress address_;      ///< of the client, as the socket or a believed PROXY header says
    net::SocketAddress destination_;  ///< what it connected to, as that header says; else unspecified
    SessionContext context_;
    std::uint64_t consumed_ = 0;  ///< octets of the client's that are not shown again
    net::Transport client_;
    upstream::Pool* pool_ = nullptr;        ///< of the upstream asked last; its worker's, which outlives this
    upstream::Pool::Ticket ticket_;         ///< while a connection is waited for
    std::optional<upstream::Lease> lease_;  ///< the connection to the upstream
    std::unique_ptr<session::Conversation> conversation_;  ///< none while the PROXY header is awaited
    net::Timer deadline_;
    std::optional<conf::CloseReason> cause_;  ///< more exact than what the conversation can know
    std::uint64_t limits_question_ = 0;       ///< the one asked last
    net::TlsStart tls_start_{};               ///< of implicit TLS
    bool is_paused_ = false;
    bool awaits_proxy_header_ = false;
    bool awaits_tls_ = false;
    bool is_draining_ = false;

    bool is_ended_ = false;
};

}  // namespace gatepost::server

// One connection to one Redis or Sentinel, from dial() to its end: TLS, AUTH, SELECT, CLIENT SETNAME, and in
// the right role; then commands out and replies in, in order. Decides no deadlines and never reconnects. On
// the thread of its loop.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backends/redis/redis_reply.h"
#include "backends/redis/reply_reader.h"
#include "proxy/base/secret.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/timer.h"
#include "proxy/net/tls_client_context.h"
#include "proxy/net/transport.h"

namespace gatepost::backends {

struct RedisLinkSettings {
    std::shared_ptr<const net::TlsClientContext> tls;  ///< nullptr = no TLS
    std::string tls_name;                              ///< what the certificate must be for
    std::string username;                              ///< "" = the default user
    std::shared_ptr<const Secret> password;            ///< nullptr or empty = no AUTH
    unsigned database = 0;
    std::string client_name;      ///< "" = none is set
    bool must_be_master = false;  ///< asks ROLE; one who may not ask is believed
};

/// Called from inside the transport: a link may be destroyed only later, by loop.defer().
class RedisLinkHandler {
  public:
    virtual ~RedisLinkHandler() = default;
    virtual void on_link_ready() = 0;
    virtual void on_link_reply(RedisReply reply) = 0;
    /// At most once, and nothing after it. For people; holds no secret.
    virtual void on_link_lost(std::string_view reason) = 0;
};

class RedisLink final : private net::TransportHandler {
  public:
    /// Begins to connect. `handler` must outlive it and is never called inside the constructor.
    RedisLink(net::EventLoop& loop, const net::SocketAddress& address, const RedisLinkSettings& settings,
              RedisLinkHandler& handler);
    ~RedisLink() override;
    RedisLink(const RedisLink&) = delete;
    RedisLink& operator=(const RedisLink&) = delete;

    /// What is sent in one turn leaves in one write at its end.
    void send(ByteView command);

    /// No call to the handler follows. What a Redis has not been sent yet is not sent.
    void close();

    [[nodiscard]] const net::SocketAddress& address() const noexcept { return address_; }

  private:
    enum class Greeting { kAuth, kSelect, kSetName, kRole, kPing };

    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override;
    void on_tls_established(net::Transport& transport) override;
    void on_drained(net::Transport& transport) override;
    void on_closed(net::Transport& transport, net::CloseCause cause) override;

    void greet(const RedisLinkSettings& settings);
    void on_reply(RedisReply reply);
    [[nodiscard]] std::optional<std::string> objection(Greeting step, const RedisReply& reply) const;
    void flush_later();
    void lose(std::string_view reason);

    net::EventLoop& loop_;
    net::SocketAddress address_;
    RedisLinkHandler* handler_;  ///< nullptr once closed or lost
    std::optional<net::Transport> transport_;
    ReplyReader reader_;
    std::deque<Greeting> greetings_;  ///< of which the answer is awaited
    unsigned database_;
    std::string dial_failure_;
    net::Timer tell_dial_failure_;
    std::shared_ptr<bool> is_flush_due_ = std::make_shared<bool>(false);
};

}  // namespace gatepost::backends

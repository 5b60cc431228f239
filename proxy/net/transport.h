// One connected socket, its buffers and optionally TLS, for clients, upstreams and stores alike. Knows no protocol. Lives
// on the thread of its loop.
//
// Reading: when the socket is readable it is read once into the loop's shared buffer (again only while TLS still holds
// data, up to the fairness budget of 64 KiB a turn; the rest is re-queued) and the handler is shown everything that it has
// not consumed yet. What it leaves is kept here and shown again, in front of what comes next. Reading pauses by itself
// while more than the soft limit is left unconsumed; an idle transport holds no buffer.
//
// Writing: write() collects; flush() writes as much as the socket takes with as few system calls as possible. A write that
// is large goes out at once, together with what was collected, without a copy where the socket takes it. Everything is
// flushed after each handler call; code that writes outside one (another transport's callback, a timer) calls flush().
//
// Ending: on_closed() is called at most once, from the loop and never inside write(), flush() or close(); no callback
// follows it. The handler may destroy a transport only outside that transport's callbacks (defer or reap).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/base/bytes.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/unique_fd.h"

struct event;
struct ssl_st;

namespace gatepost::net {

class TlsContext;
class Transport;

enum class CloseCause {
    kEof,              ///< FIN without TLS, or close_notify: an orderly end
    kDropped,          ///< reset, or TLS ended without close_notify
    kConnectFailed,    ///< the connection in progress was refused, unreachable or timed out in the kernel
    kTlsFailed,        ///< handshake or record failure
    kBufferOverrun,    ///< more than the hard limit waits to be sent, or unconsumed
};

/// What a finished handshake agreed on. Views are static or live as long as the transport.
struct TlsFacts {
    std::string_view version;  ///< "TLSv1.3"
    std::string_view cipher;   ///< "TLS_AES_128_GCM_SHA256"
    bool resumed = false;
};

class TransportHandler {
  public:
    virtual ~TransportHandler() = default;

    /// `bytes` is everything received and not consumed; valid during the call. Returns how many octets from the front are
    /// consumed. Leaving octets does not cause another call: they are shown again with the next ones or on resume_reading().
    virtual std::size_t on_bytes(Transport& transport, ByteView bytes) = 0;

    /// The handshake begun by start_tls_*() is complete; the socket is read afterwards.
    virtual void on_tls_established(Transport& transport) = 0;

    /// Output that had exceeded the high-water mark has been sent down to nothing.
    virtual void on_drained(Transport& transport) = 0;

    /// Nothing more comes from or goes to the peer.
    virtual void on_closed(Transport& transport, CloseCause cause) = 0;
};

struct TransportLimits {
    std::size_t high_water = 64 * 1024;         ///< is_congested() above this much unsent output
    std::size_t soft_unconsumed = 64 * 1024;    ///< reading pauses above this much unconsumed input
    std::size_t hard = 1024 * 1024;             ///< closed (kBufferOverrun) above this in either direction
};

class Transport final {
  public:
    /// Takes over a non-blocking socket, connected or with its connect in progress (see dial()). `handler` must outlive the
    /// transport. Nothing is read before start().
    Transport(EventLoop& loop, UniqueFd socket, TransportHandler& handler, TransportLimits limits = {});
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// Begins reading. With a connect in progress, its failure is reported as on_closed(kConnectFailed).
    void start();

    /// Server side of a TLS handshake, on what the peer sends from here on. Requires that nothing received is unconsumed: the
    /// caller has refused octets pipelined before the handshake (RFC 3207 section 4.2). Collected output is flushed first.
    void start_tls_server(const TlsContext& context);

    void write(ByteView octets);
    void flush();

    /// More output waits than the peer takes: stop producing until on_drained().
    [[nodiscard]] bool is_congested() const noexcept;
    [[nodiscard]] std::size_t unsent() const noexcept;

    /// While paused nothing is read from the socket, so that the peer feels it. Resuming shows unconsumed octets again, from
    /// the loop, then reads on.
    void pause_reading();
    void resume_reading();

    /// Sends what is collected, then close_notify under TLS, then closes; gives up after `grace`. No callback follows.
    void finish(Duration grace);

    /// Closes now. Unsent output is lost. No callback follows.
    void close();

    [[nodiscard]] bool is_open() const noexcept;
    [[nodiscard]] bool is_tls() const noexcept;
    /// Requires is_tls() and a completed handshake.
    [[nodiscard]] TlsFacts tls_facts() const;
    /// For channel bindings and certificates; nullptr without TLS.
    [[nodiscard]] ssl_st* ssl() const noexcept;

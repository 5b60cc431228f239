// One connected socket, its buffers and optionally TLS, for clients, upstreams and stores alike. Knows no
// protocol. Lives on the thread of its loop.
//
// Reading: when the socket is readable it is read once into the loop's shared buffer (again only while TLS
// still holds data, up to the fairness budget of 112 KiB a turn; the rest is re-queued) and the handler is
// shown everything that it has not consumed yet. What it leaves is kept here and shown again, in front of
// what comes next. Reading pauses by itself while more than the soft limit is left unconsumed; an idle
// transport holds no buffer.
//
// Writing: write() collects; flush() writes as much as the socket takes with as few system calls as possible.
// A write that is large goes out at once, together with what was collected, without a copy where the socket
// takes it. Everything is flushed after each handler call; code that writes outside one (another transport's
// callback, a timer) calls flush().
//
// Ending: on_closed() is called at most once, from the loop and never inside write(), flush() or close(); no
// callback follows it. The handler may destroy a transport only outside that transport's callbacks (defer or
// reap).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/out_buffer.h"
#include "proxy/net/unique_fd.h"

struct event;
struct ssl_st;

namespace gatepost::net {

class TlsClientContext;
class TlsContext;
class TlsStream;
class Transport;

/// What becomes of octets received and not consumed when TLS starts.
enum class TlsStart {
    kFresh,         ///< there may be none: with any, the transport closes (kTlsFailed). STARTTLS.
    kWithReceived,  ///< they are the beginning of the handshake. Only for a ClientHello behind a PROXY
                    ///< header.
};

enum class CloseCause {
    kEof,            ///< FIN without TLS, or close_notify: an orderly end
    kDropped,        ///< reset, or TLS ended without close_notify
    kConnectFailed,  ///< the connection in progress was refused, unreachable or timed out in the kernel
    kTlsFailed,      ///< handshake or record failure
    kBufferOverrun,  ///< more than the hard limit waits to be sent, or unconsumed
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

    /// `bytes` is everything received and not consumed; valid during the call. Returns how many octets from
    /// the front are consumed. Leaving octets does not cause another call: they are shown again with the next
    /// ones or on resume_reading().
    virtual std::size_t on_bytes(Transport& transport, ByteView bytes) = 0;

    /// The handshake begun by start_tls_*() is complete; the socket is read afterwards.
    virtual void on_tls_established(Transport& transport) = 0;

    /// Output that had exceeded the high-water mark has been sent down to nothing. Never inside write() or
    /// flush().
    virtual void on_drained(Transport& transport) = 0;

    /// Nothing more comes from or goes to the peer.
    virtual void on_closed(Transport& transport, CloseCause cause) = 0;
};

struct TransportLimits {
    /// is_congested() above this much unsent output.
    std::size_t high_water = 64 * 1024;
    /// Reading pauses above this much unconsumed input; at most 64 KiB.
    std::size_t soft_unconsumed = 64 * 1024;
    /// Closed (kBufferOverrun) above this in either direction.
    std::size_t hard = 1024 * 1024;
};

class Transport final {
  public:
    /// Takes over a non-blocking socket, connected or with its connect in progress (see dial()). `handler`
    /// must outlive the transport, or be replaced by set_handler() before it ends. Nothing is read before
    /// start().
    Transport(EventLoop& loop, UniqueFd socket, TransportHandler& handler, TransportLimits limits = {});
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// From now on callbacks go to `handler`, which must outlive the transport or be replaced in time: for
    /// pooled connections, which change hands. Own thread; also inside a callback, which then returns to the
    /// old handler: what that one consumed is consumed. The new one is not shown what was left unconsumed
    /// until more comes or resume_reading().
    void set_handler(TransportHandler& handler) noexcept { handler_ = &handler; }

    /// Begins reading. With a connect in progress, its failure is reported as on_closed(kConnectFailed).
    void start();

    /// Server side of a TLS handshake, on what the peer sends from here on. Requires that nothing received is
    /// unconsumed: the caller has refused octets pipelined before the handshake (RFC 3207 section 4.2).
    /// Collected output is flushed first. May be called before start() (implicit TLS) and inside on_bytes();
    /// there, what on_bytes() leaves counts as unconsumed.
    void start_tls_server(const TlsContext& context, TlsStart start = TlsStart::kFresh);

    /// Client side of a TLS handshake with `server_name`, a host name or an address, which the certificate
    /// must be for if the context verifies. Begins at once, behind collected output; may be called before
    /// start(), with the connect still in progress, and inside on_bytes(). Octets left unconsumed close the
    /// transport, as for a server. Why a handshake failed is in tls_failure().
    void start_tls_client(const TlsClientContext& context, const std::string& server_name);

    /// Copies what is not sent at once. During a handshake everything waits for its end. Ignored once closed.
    void write(ByteView octets);
    void flush();

    /// More output waits than the peer takes: stop producing until on_drained().
    [[nodiscard]] bool is_congested() const noexcept;
    [[nodiscard]] std::size_t unsent() const noexcept;

    /// While paused nothing is read from the socket, so that the peer feels it. Resuming shows unconsumed
    /// octets again, from the loop, then reads on.
    void pause_reading();
    void resume_reading();

    /// Inside on_bytes(): what it consumes is overwritten after it, because it held a secret.
    void wipe_shown() noexcept { wipes_shown_ = true; }

    /// Nothing secret will be read from now on, so that TLS may leave what it reads in its buffers until they
    /// are used again. Until this is said, TLS of an accepted connection wipes them.
    void expect_no_secret() noexcept;

    /// Sends what is collected, then close_notify under TLS, then closes; gives up after `grace`. No callback
    /// follows. What cannot be sent at once is handed to the loop, so the transport may be destroyed right
    /// after. `linger`: a peer that does not expect the end may be sending just now; so long it is read, or
    /// it would be reset.
    void finish(Duration grace, Duration linger = Duration::zero());

    /// Closes now. Unsent output is lost. No callback follows.
    void close();

    [[nodiscard]] bool is_open() const noexcept;
    [[nodiscard]] bool is_tls() const noexcept;
    /// Requires is_tls() and a completed handshake.
    [[nodiscard]] TlsFacts tls_facts() const;
    /// For channel bindings and certificates; nullptr without TLS.
    [[nodiscard]] ssl_st* ssl() const noexcept;
    /// Why TLS failed ("wrong version number"), for the log; static. Empty when it did not. Lasts after
    /// on_closed().
    [[nodiscard]] std::string_view tls_failure() const noexcept { return tls_failure_; }

    /// The socket's descriptor, -1 once closed. For addresses; not for reading or writing.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] EventLoop& loop() const noexcept { return loop_; }

  private:
    enum class TlsState : std::uint8_t { kNone, kHandshaking, kEstablished };

    static void on_read_event(int fd, short what, void* self);
    static void on_write_event(int fd, short what, void* self);
    void run_turn(bool is_readable);
    void read_pass();
    [[nodiscard]] bool advance_handshake();
    void read_and_show();
    [[nodiscard]] std::size_t read_plain(std::span<char> space);
    [[nodiscard]] std::size_t read_tls(std::span<char> space);
    [[nodiscard]] std::size_t put_kept_in_front();
    void show(ByteView octets);
    void settle_received();
    void begin_handshake(std::unique_ptr<TlsStream> stream, TlsStart start);

    [[nodiscard]] bool may_read() const noexcept;
    [[nodiscard]] bool may_show() const noexcept;
    [[nodiscard]] bool is_tls_holding() const noexcept;
    void wake_if_needed();
    void arm_reading();
    void disarm_reading();

    [[nodiscard]] bool can_send() const noexcept;
    void flush_output();
    void encrypt_collected();
    void encrypt(ByteView octets);
    void send_large(ByteView octets);
    void send_buffer(OutBuffer& buffer);
    void arm_writing();

    void note_buffered() noexcept;
    [[nodiscard]] CloseCause cause_of(int error) const noexcept;
    void fail_later(CloseCause cause);
    void report_closed(CloseCause cause);
    void release() noexcept;

    EventLoop& loop_;
    TransportHandler* handler_;
    TransportLimits limits_;
    UniqueFd socket_;
    EventPointer read_event_;
    EventPointer write_event_;
    std::unique_ptr<TlsStream> tls_;
    std::string unconsumed_;
    OutBuffer out_;  ///< plaintext; under TLS not yet encrypted
    std::string_view tls_failure_;
    /// Found outside a turn, to be reported in one.
    std::optional<CloseCause> failure_;
    /// Read from the peer, to be reported once all before it has been shown.
    std::optional<CloseCause> ending_;

    std::size_t noted_ = 0;  ///< octets that the loop was told are kept here

    TlsState tls_state_ = TlsState::kNone;
    TlsStart tls_start_ = TlsStart::kFresh;
    bool tls_is_new_ = false;  ///< begun inside on_bytes()
    bool is_started_ = false;
    bool is_read_armed_ = false;
    bool is_write_armed_ = false;
    bool is_paused_ = false;
    bool is_congested_ = false;
    bool is_in_turn_ = false;
    bool is_queued_ = false;   ///< by run_soon()
    bool is_showing_ = false;  ///< inside on_bytes()
    bool show_again_ = false;
    bool tell_drained_ = false;
    bool is_holding_ticket_ = false;
    bool wipes_shown_ = false;
    bool has_talked_ = false;       ///< an octet went either way, so the connect has succeeded
    bool more_is_waiting_ = false;  ///< the last read took all that it had room for
};

}  // namespace gatepost::net

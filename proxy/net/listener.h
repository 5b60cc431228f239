// Listening sockets: opens them, and accepts from them, one connection a turn. Decides nothing about who may
// come in. The acceptor lives on the thread of its loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/timer.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net {

/// Listens on "0.0.0.0:587", "[::]:587" (IPv6 only), "*:587" (every address, IPv4 and IPv6; on a machine
/// without IPv6, those of IPv4), "127.0.0.1:0" (a free port) or "unix:/path" (a stale socket file is
/// replaced). Non-blocking, close-on-exec. The error names the address and the reason.
[[nodiscard]] Result<UniqueFd> listen_on(std::string_view address);

/// The port of "*:587", every address of this machine; nothing when `address` is another.
[[nodiscard]] std::optional<std::uint16_t> port_of_every_address(std::string_view address);

/// It is bound to [::] and takes IPv4 clients too.
[[nodiscard]] bool takes_both_families(int fd);

/// Where a listening socket is bound, as it is configured: "*:587" for one that takes both families.
[[nodiscard]] std::string listening_address(int fd);

/// Where `fd` is bound; AF_UNSPEC on failure.
[[nodiscard]] SocketAddress local_address(int fd);
[[nodiscard]] SocketAddress peer_address(int fd);

/// Accepts until the queue is empty, at most kPerTurn a turn. Out of descriptors or memory, it rests for
/// kRest, and the clients wait in the queue.
class Acceptor {
  public:
    using Handler = std::move_only_function<void(UniqueFd socket, const SocketAddress& peer)>;

    static constexpr int kPerTurn = 16;
    static constexpr int kQueueAtMost = 65'536;
    static constexpr std::chrono::milliseconds kRest{100};

    /// Begins at once. Takes over the listening socket. `handler` gets non-blocking, close-on-exec sockets
    /// with TCP_NODELAY.
    Acceptor(EventLoop& loop, UniqueFd listening, Handler handler);
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// While paused nothing is accepted; clients queue in the kernel.
    void pause();
    void resume();
    /// Before the socket is closed: who waits in its queue now would be reset. At most kQueueAtMost.
    void accept_rest();

    [[nodiscard]] SocketAddress address() const { return local_address(listening_.get()); }
    [[nodiscard]] int fd() const noexcept { return listening_.get(); }

  private:
    void accept_some();
    [[nodiscard]] bool accept_one();

    UniqueFd listening_;
    Handler handler_;
    FdWatch watch_;
    Timer rest_;
    bool is_paused_ = false;
};

}  // namespace gatepost::net

// The end of a connection that could not say everything at once: lives on in the loop, without its handler,
// until the rest is sent or its time is over. Afterwards it reads what the peer still sends and throws it
// away, because closing a socket with unread octets resets it, and the peer would lose our last words. On the
// loop's thread.
#pragma once

#include <cstddef>

#include "proxy/net/event_loop.h"
#include "proxy/net/out_buffer.h"
#include "proxy/net/timer.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net {

class Farewell final : public Resident {
  public:
    /// Hands a new one to the loop. No other event may watch `socket`.
    static void begin(EventLoop& loop, UniqueFd socket, OutBuffer rest, Duration grace);

  private:
    Farewell(EventLoop& loop, UniqueFd socket, OutBuffer rest);

    static void on_writable(int fd, short what, void* self);
    static void on_readable(int fd, short what, void* self);
    void send_rest();
    void discard_some();
    void leave();

    EventLoop& loop_;
    UniqueFd socket_;
    OutBuffer rest_;
    EventPointer writable_;
    EventPointer readable_;
    Timer grace_;
    std::size_t discarded_ = 0;
};

}  // namespace gatepost::net

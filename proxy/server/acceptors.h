// The listening sockets of one loop: keeps those that stay over a reload, lets nobody in the queue of one
// that goes be reset. On the thread of its loop.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/listener.h"

namespace gatepost::server {

class Acceptors {
  public:
    /// A client of the listener that has this place in the plan served now.
    using Handler =
        std::function<void(std::size_t listener, net::UniqueFd socket, const net::SocketAddress& peer)>;

    /// One of the listeners of a plan, in its place.
    struct Door {
        std::string address;   ///< as configured: what tells one socket from another
        net::UniqueFd socket;  ///< empty: the one of this address that is here already
    };

    /// `loop` outlives this object.
    Acceptors(net::EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
    Acceptors(const Acceptors&) = delete;
    Acceptors& operator=(const Acceptors&) = delete;

    /// From now on these; others are closed once who waited there was let in, as clients of the listener that
    /// they came to, which `handler` must still know.
    void serve(std::vector<Door> doors);
    /// Closes all, likewise.
    void close() { serve({}); }

  private:
    struct Accepting {
        std::size_t listener = 0;
        std::unique_ptr<net::Acceptor> acceptor;
    };

    net::EventLoop& loop_;
    Handler handler_;
    std::multimap<std::string, std::unique_ptr<Accepting>> accepting_;  ///< by address; port 0 may be several
};

}  // namespace gatepost::server

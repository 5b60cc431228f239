// The totals of one upstream's servers, for all who connect to them: an address that comes back, and a
// configuration that takes another's place, find the connections that there are. On one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/net/socket_address.h"
#include "proxy/upstream/server_totals.h"

namespace gatepost::upstream {

class KnownTotals {
  public:
    /// Of the server that is configured by this name; the same ones as long as anybody has them.
    [[nodiscard]] std::shared_ptr<ServerTotals> of(const std::string& name,
                                                   const net::SocketAddress& address) {
        std::erase_if(known_, [](const Known& known) { return known.totals.expired(); });
        for (const Known& known : known_) {
            if (known.name == name && known.address == address) return known.totals.lock();
        }
        auto totals = std::make_shared<ServerTotals>();
        known_.push_back({.name = name, .address = address, .totals = totals});
        return totals;
    }

  private:
    struct Known {
        std::string name;
        net::SocketAddress address;
        std::weak_ptr<ServerTotals> totals;
    };
    std::vector<Known> known_;
};

}  // namespace gatepost::upstream

// Which upstream a client's mail goes to, by who he is, whom he sends as and where he came in: the first
// route all of whose conditions hold. Never asks whether that upstream is well. Immutable, pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/policy/address.h"

namespace gatepost::policy {

/// An empty condition always holds.
struct Route {
    /// By matches_user(); never holds for a client who has not authenticated.
    std::string user;
    /// By matches_domain(); never holds for a sender without a domain, so not for <>.
    std::string sender_domain;
    std::string listener;      ///< its name
    std::size_t upstream = 0;  ///< the caller's number for it
};

class Routes {
  public:
    explicit Routes(std::vector<Route> routes);

    /// `user`: the canonical name, "" = not authenticated. `sender`: as in MAIL FROM, "" = the null sender.
    /// Nothing: no route holds.
    [[nodiscard]] std::optional<std::size_t> upstream_for(ByteView user, ByteView sender,
                                                          ByteView listener) const;

    /// Each upstream that some client of the listener may be routed to, once, in the order of the routes.
    /// That is what he may be offered before his route is known (decisions 5).
    [[nodiscard]] std::vector<std::size_t> reachable_from(ByteView listener) const;

  private:
    std::vector<Route> routes_;
    std::vector<AddressPattern> from_;  ///< of each route: "@" and its sender_domain
};

}  // namespace gatepost::policy

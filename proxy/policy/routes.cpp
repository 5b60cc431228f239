#include "proxy/policy/routes.h"

#include <algorithm>
#include <utility>

#include "proxy/policy/pattern.h"

namespace gatepost::policy {
namespace {

bool is_of(const Route& route, ByteView listener) {
    return route.listener.empty() || route.listener == listener;
}

}  // namespace

Routes::Routes(std::vector<Route> routes) : routes_(std::move(routes)) {
    for (const Route& route : routes_) from_.emplace_back("@" + route.sender_domain);
}

std::optional<std::size_t> Routes::upstream_for(ByteView user, ByteView sender, ByteView listener) const {
    std::optional<Address> read;  // only where a route asks for it: it costs more than all else here
    const auto is_from = [&](const Route& route) {
        if (route.sender_domain.empty()) return true;
        if (!read) read = Address::of(sender);
        const AddressPattern& pattern = from_[static_cast<std::size_t>(&route - routes_.data())];
        return read->has_domain && !read->domain.empty() && pattern.matches_domain_of(*read);
    };
    const auto holds = [&](const Route& route) {
        if (!is_of(route, listener)) return false;
        if (!route.user.empty() && (user.empty() || !matches_user(route.user, user))) return false;
        return is_from(route);
    };
    const auto found = std::ranges::find_if(routes_, holds);
    if (found == routes_.end()) return std::nullopt;
    return found->upstream;
}

std::vector<std::size_t> Routes::reachable_from(ByteView listener) const {
    std::vector<std::size_t> upstreams;
    for (const Route& route : routes_) {
        if (!is_of(route, listener)) continue;
        if (std::ranges::find(upstreams, route.upstream) == upstreams.end()) {
            upstreams.push_back(route.upstream);
        }
        if (route.user.empty() && route.sender_domain.empty()) break;  // nobody comes past it
    }
    return upstreams;
}

}  // namespace gatepost::policy

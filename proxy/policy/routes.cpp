#include "proxy/policy/routes.h"

#include <algorithm>

#include "proxy/policy/pattern.h"

namespace gatepost::policy {
namespace {

bool is_of(const Route& route, ByteView listener) {
    return route.listener.empty() || route.listener == listener;
}

/// "" when there is none. The "@" of a quoted local part alone ("a@b") begins no domain.
ByteView domain_of(ByteView sender) {
    const std::size_t at = sender.rfind('@');
    if (at == ByteView::npos || sender.ends_with('"')) return {};
    return sender.substr(at + 1);
}

}  // namespace

std::optional<std::size_t> Routes::upstream_for(ByteView user, ByteView sender, ByteView listener) const {
    const ByteView domain = domain_of(sender);
    const auto holds = [&](const Route& route) {
        if (!is_of(route, listener)) return false;
        if (!route.user.empty() && (user.empty() || !matches_user(route.user, user))) return false;
        return route.sender_domain.empty() ||
               (!domain.empty() && matches_domain(route.sender_domain, domain));
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

// What a pool does of itself, once a second: old connections go, and spares are opened in advance.
#include <algorithm>
#include <iterator>
#include <utility>

#include "proxy/upstream/pool.h"
#include "proxy/upstream/pool_request.h"

namespace gatepost::upstream {

bool Pool::has_idled_enough(const Idle& idle) const {
    const Duration idled = loop_.now() - idle.since;
    const Server* const server = snapshot_->find(idle.lease.endpoint, idle.lease.address);
    const bool is_surplus = server == nullptr || server->totals->idle.taken() > settings_.max_idle;
    return idled >= settings_.idle_timeout || (is_surplus && idled >= kSweep) || !is_reusable(idle.lease);
}

void Pool::sweep() {
    for (auto idle = idle_.begin(); idle != idle_.end();) {
        idle = has_idled_enough(*idle) ? retire(idle) : std::next(idle);
    }
    open_spares();
    if (!idle_.empty() || settings_.min_idle > 0) sweep_.start(kSweep);
}

void Pool::open_spares() {
    if (settings_.min_idle == 0 || is_draining_) return;
    if (group_.is_anybody_waiting()) return;  // what is free is theirs
    if (!sweep_.is_pending()) sweep_.start(kSweep);
    for (const Server& server : snapshot_->servers) {
        if (!server.is_healthy) continue;
        const auto is_his = [&](const auto& kept) { return kept.lease.is_to(server); };
        std::size_t there = static_cast<std::size_t>(std::ranges::count_if(idle_, is_his) +
                                                     std::ranges::count_if(spares_, is_his));
        for (; there < settings_.min_idle; ++there) {
            TotalSlot place = TotalSlot::take(server.totals, &ServerTotals::open, settings_.max_connections);
            if (!place) break;
            open_spare(server, std::move(place));
        }
    }
}

void Pool::open_spare(const Server& server, TotalSlot place) {
    Spare& spare = spares_.emplace_back();
    const auto self = std::prev(spares_.end());
    spare.lease.endpoint = server.endpoint;
    spare.lease.name = server.name;
    spare.lease.address = server.address;
    spare.lease.open = std::move(place);
    spare.began = loop_.now();
    spare.opener = std::make_unique<Opener>(loop_, settings_.opener, [this, self](Opener::Outcome outcome) {
        spare_opened(self, std::move(outcome));
    });
    spare.opener->open(server, {}, {}, settings_.connect_timeout);
}

void Pool::spare_opened(std::list<Spare>::iterator spare, Opener::Outcome outcome) {
    Lease lease = std::move(spare->lease);
    note_opening(lease, outcome, loop_.now() - spare->began);
    spares_.erase(spare);
    if (!outcome) return discard(std::move(lease));
    lease.transport = std::move(outcome->transport);
    lease.capabilities = std::move(outcome->capabilities);
    lease.born = loop_.now();
    if (const Ticket next = first_waiting(); next && !next->must_tell_address()) {
        waiting_.pop_front();
        return next->take(std::move(lease));
    }
    if (group_.is_anybody_waiting()) return retire(std::move(lease));
    keep(std::move(lease));
}

}  // namespace gatepost::upstream

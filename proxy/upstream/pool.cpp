#include "proxy/upstream/pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proxy/upstream/pool_request.h"

namespace gatepost::upstream {
namespace {

/// For QUIT to go out to an upstream that does not take it.
constexpr std::chrono::seconds kGrace{5};

}  // namespace

Pool::Pool(net::EventLoop& loop, PoolSettings settings, PoolGroup& group, PoolObserver& observer)
    : loop_(loop),
      settings_(std::move(settings)),
      group_(group),
      observer_(observer),
      member_(group.join(
          loop, [this] { serve_waiting(); },
          [this] {
              if (group_.is_anybody_waiting()) let_one_go();
          })),
      balancer_(settings_.balance),
      sweep_(loop, [this] { sweep(); }),
      again_(loop, [this] { serve_all_waiting(); }) {}

Pool::~Pool() {
    group_.resign(member_);
}

Pool::Ticket Pool::ask(Client client, bool is_new, Answer answer) {
    auto request = std::make_shared<PoolRequest>(*this, std::move(client), is_new, std::move(answer));
    loop_.defer([asked = std::weak_ptr(request)] {
        if (const Ticket still = asked.lock()) still->begin();
    });
    return request;
}

void Pool::give_back(Lease lease) {
    ++lease.transactions;
    observer_.served(lease.endpoint, lease.address, true);
    lease.active = {};
    if (!is_reusable(lease)) return retire(std::move(lease));
    if (const Ticket next = first_waiting()) {
        // Its place is as good: whoever waits may open a new one.
        if (next->needs_new() || !may_serve(lease, next->client()) ||
            group_.others_come_first(member_, next->waiting_since()))
            return retire(std::move(lease));
        waiting_.pop_front();
        return next->take(std::move(lease));
    }
    if (group_.is_anybody_waiting()) return retire(std::move(lease));
    keep(std::move(lease));
}

bool Pool::is_reusable(const Lease& lease) const {
    return !is_draining_ && lease.transport->is_open() && lease.transactions < settings_.max_messages &&
           !has_come_of_age(lease) && snapshot_->find(lease.endpoint, lease.address) != nullptr;
}

bool Pool::has_come_of_age(const Lease& lease) const {
    return loop_.now() - lease.born >= settings_.max_age;
}

void Pool::keep(Lease lease) {
    const Server* const server = snapshot_->find(lease.endpoint, lease.address);
    if (server == nullptr || is_draining_ || settings_.max_idle == 0) return retire(std::move(lease));
    // More than max_idle stay for a moment: sessions come in waves, and the next one would open them anew.
    TotalSlot slot = TotalSlot::take(server->totals, &ServerTotals::idle, settings_.max_connections);
    lease.transport->set_handler(*this);
    idle_.push_back({.lease = std::move(lease), .slot = std::move(slot), .since = loop_.now()});
    if (!sweep_.is_pending()) sweep_.start(kSweep);
}

void Pool::retire(Lease lease) {
    if (lease.transport->is_open()) {
        lease.transport->set_handler(*this);
        lease.transport->write("QUIT\r\n");
        lease.transport->finish(kGrace);
    }
    discard(std::move(lease));
}

Pool::IdleList::iterator Pool::retire(IdleList::iterator idle) {
    Lease lease = std::move(idle->lease);
    const auto behind = idle_.erase(idle);
    retire(std::move(lease));
    return behind;
}

void Pool::end(Lease lease, bool politely) {
    if (politely && lease.transport->is_open()) lease.transport->finish(kGrace);
    discard(std::move(lease));
}

/// The transport may be in the middle of its callback, so it is destroyed after it.
void Pool::discard(Lease lease) {
    lease.active = {};
    lease.open = {};
    if (lease.transport) {
        lease.transport->close();
        loop_.defer([old = std::move(lease.transport)] {});
    }
    group_.freed();
}

void Pool::note_opening(const Lease& lease, const Opener::Outcome& outcome, Duration took) {
    const auto failure = outcome ? std::nullopt : std::optional<OpeningFailure>(outcome.error());
    observer_.connected(lease.endpoint, failure, took, outcome ? outcome->tls_version() : "");
    const bool is_clients = failure && failure->why == OpeningFailure::Why::kUnsayable;
    if (!is_clients) observer_.served(lease.endpoint, lease.address, outcome.has_value());
}

bool Pool::may_serve(const Lease& lease, const Client& client) const {
    return is_shared(settings_.identity) || !lease.told || *lease.told == client;
}

std::optional<Lease> Pool::take_idle(const Server* server, bool is_new, const Client& client) {
    for (auto idle = idle_.end(); idle != idle_.begin();) {
        --idle;
        const bool is_there = server == nullptr || idle->lease.is_to(*server);
        if (!is_there || (is_new && idle->lease.was_used()) || !may_serve(idle->lease, client)) continue;
        Lease lease = std::move(idle->lease);
        idle = idle_.erase(idle);
        if (is_reusable(lease)) return lease;
        retire(std::move(lease));
    }
    return std::nullopt;
}

void Pool::forget(std::uint64_t session) {
    if (is_shared(settings_.identity)) return;
    for (auto idle = idle_.begin(); idle != idle_.end();) {
        const bool is_his = idle->lease.told && idle->lease.told->session == session;
        idle = is_his ? retire(idle) : std::next(idle);
    }
}

TotalSlot Pool::take_place(const Server& server) {
    TotalSlot place = TotalSlot::take(server.totals, &ServerTotals::open, settings_.max_connections);
    if (place) return place;
    const auto oldest =
        std::ranges::find_if(idle_, [&](const Idle& idle) { return idle.lease.is_to(server); });
    if (oldest == idle_.end()) return place;
    place = std::move(oldest->lease.open);
    retire(oldest);
    return place;
}

void Pool::drop_idle(const net::Transport& transport) {
    const auto found = std::ranges::find_if(
        idle_, [&](const Idle& idle) { return idle.lease.transport.get() == &transport; });
    if (found == idle_.end()) return;
    Lease lease = std::move(found->lease);
    idle_.erase(found);
    discard(std::move(lease));
}

/// Nobody has asked: whatever it is ("421 idle too long"), the connection is of no use.
std::size_t Pool::on_bytes(net::Transport& transport, ByteView bytes) {
    drop_idle(transport);
    return bytes.size();
}

void Pool::on_tls_established(net::Transport& /*transport*/) {}

void Pool::on_drained(net::Transport& /*transport*/) {}

/// The upstream may close what is idle; that is no failure.
void Pool::on_closed(net::Transport& transport, net::CloseCause /*cause*/) {
    drop_idle(transport);
}

/// Somebody of another worker waits.
void Pool::let_one_go() {
    if (!idle_.empty()) retire(idle_.begin());
}

void Pool::wait(const Ticket& request) {
    // One that had left the line to try a server stands where it stood.
    auto place = waiting_.end();
    for (; place != waiting_.begin(); --place) {
        const Ticket before = std::prev(place)->lock();
        if (before && before->waiting_since() <= request->waiting_since()) break;
    }
    waiting_.insert(place, request);
    request->stand_in_line(group_, member_);
    // What became free between the attempt and this was nobody's turn.
    loop_.defer([asked = std::weak_ptr(request)] {
        if (const Pool::Ticket still = asked.lock()) still->pool().serve_waiting();
    });
}

Pool::Ticket Pool::first_waiting() {
    while (!waiting_.empty()) {
        const Ticket first = waiting_.front().lock();
        if (first && first->is_waiting()) return first;
        waiting_.pop_front();
    }
    return nullptr;
}

void Pool::serve_waiting() {
    const Ticket first = first_waiting();
    if (!first) return group_.freed();  // the turn of somebody elsewhere
    // In the line before it is tried: nothing that becomes free meanwhile is missed.
    group_.call_again(member_);
    first->try_again();
}

/// What is there now may have room for some of them, and not only for the one whose turn it would be.
void Pool::serve_all_waiting() {
    while (const Ticket first = first_waiting()) {
        first->try_again();
        if (first->is_waiting()) return;
    }
}

void Pool::set_snapshot(std::shared_ptr<const Snapshot> snapshot) {
    snapshot_ = std::move(snapshot);
    for (auto idle = idle_.begin(); idle != idle_.end();) {
        const bool is_there = snapshot_->find(idle->lease.endpoint, idle->lease.address) != nullptr;
        idle = is_there ? std::next(idle) : retire(idle);
    }
    if (first_waiting()) again_.start(Duration::zero());
    open_spares();
}

void Pool::drain() {
    is_draining_ = true;
    while (!spares_.empty()) {
        Lease lease = std::move(spares_.front().lease);
        spares_.pop_front();
        discard(std::move(lease));
    }
    while (!idle_.empty()) let_one_go();
}

}  // namespace gatepost::upstream

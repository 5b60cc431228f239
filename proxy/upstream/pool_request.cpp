#include "proxy/upstream/pool_request.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/introduction.h"

namespace gatepost::upstream {
namespace {

using Why = OpeningFailure::Why;

}  // namespace

PoolRequest::PoolRequest(Pool& pool, Client client, bool is_new, Pool::Answer answer)
    : pool_(pool),
      client_(std::move(client)),
      is_new_(is_new),
      answer_(std::move(answer)),
      failure_{.why = Why::kNoAddress, .what = "no address of a server is known"},
      patience_(pool.loop_, [this] { on_patience(); }) {}

PoolRequest::~PoolRequest() {
    end_wait();
    drop_opening();
}

bool PoolRequest::must_tell_address() const noexcept {
    const Identity identity = pool_.settings_.identity;
    return identity == Identity::kProxyV1 || identity == Identity::kProxyV2;
}

void PoolRequest::begin() {
    until_ = pool_.loop_.now() + pool_.settings_.connect_timeout;
    // What is the session's alone is better than a new one, whichever server it leads to.
    if (!is_shared(pool_.settings_.identity)) {
        if (std::optional<Lease> own = pool_.take_idle(nullptr, is_new_, client_))
            return take(std::move(*own));
    }
    try_servers();
}

void PoolRequest::try_servers() {
    snapshot_ = pool_.snapshot_;
    order_ = pool_.choose();
    next_ = 0;
    is_crowded_ = false;
    try_next();
}

void PoolRequest::try_again() {
    until_ = pool_.loop_.now() + pool_.settings_.connect_timeout;
    try_servers();
}

/// Until one is being opened, or is there.
void PoolRequest::try_next() {
    patience_.stop();
    while (next_ < order_.size()) {
        const Server& server = snapshot_->servers[order_[next_]];
        // Servers that are not well are for when there are no others.
        if (is_crowded_ && !server.is_healthy) break;
        ++next_;
        if (std::ranges::find(given_up_, server.address) != given_up_.end()) continue;
        if (pool_.loop_.now() >= until_) return fail({.why = Why::kTimedOut, .what = "no answer in time"});
        if (try_server(server)) return;
    }
    if (is_crowded_) return wait_in_line();
    fail(failure_);
}

bool PoolRequest::try_server(const Server& server) {
    if (std::optional<Lease> idle = pool_.take_idle(&server, is_new_, client_)) {
        take(std::move(*idle));
        return true;
    }
    TotalSlot place = pool_.take_place(server);
    if (!place) {
        is_crowded_ = is_crowded_ || server.is_healthy;
        if (!server.is_healthy) failure_ = {.why = Why::kBusy, .what = "no connection is free"};
        return false;
    }
    dial(server, std::move(place));
    return true;
}

void PoolRequest::dial(const Server& server, TotalSlot place) {
    end_wait();
    lease_ = {};
    lease_.endpoint = server.endpoint;
    lease_.name = server.name;
    lease_.address = server.address;
    lease_.open = std::move(place);
    began_ = pool_.loop_.now();
    is_extended_ = false;
    opener_ = std::make_unique<Opener>(pool_.loop_, pool_.settings_.opener,
                                       [this](Opener::Outcome outcome) { opened(std::move(outcome)); });
    const Duration left = until_ - began_;
    opener_->open(server, client_header(pool_.settings_.identity, client_),
                  introduction(pool_.settings_.identity, client_), left);
    // One that hangs does not use up the time for all.
    const std::size_t others = order_.size() - next_;
    if (others > 0) patience_.start(left / static_cast<int>(others + 1));
}

void PoolRequest::opened(Opener::Outcome outcome) {
    patience_.stop();
    pool_.note_opening(lease_, outcome, pool_.loop_.now() - began_);
    if (!outcome) {
        failure_ = std::move(outcome.error());
        return give_up_on_server();
    }
    lease_.transport = std::move(outcome->transport);
    lease_.capabilities = std::move(outcome->capabilities);
    lease_.born = pool_.loop_.now();
    pool_.observer_.acquired(Acquired::kNew);
    answer(std::move(lease_));
}

void PoolRequest::give_up_on_server() {
    given_up_.push_back(lease_.address);
    drop_opening();
    try_next();
}

void PoolRequest::take(Lease lease) {
    end_wait();
    const Identity identity = pool_.settings_.identity;
    const bool is_same_user = identity == Identity::kXclientLogin && lease.told && !client_.user.empty() &&
                              lease.told->user == client_.user;
    const bool is_his = !is_shared(identity) && lease.told;
    if (identity == Identity::kNone || is_same_user || is_his) {
        pool_.observer_.acquired(Acquired::kReused);
        return answer(std::move(lease));
    }
    introduce(std::move(lease));
}

void PoolRequest::introduce(Lease lease) {
    lease_ = std::move(lease);
    opener_ = std::make_unique<Opener>(pool_.loop_, pool_.settings_.opener,
                                       [this](Opener::Outcome outcome) { introduced(std::move(outcome)); });
    opener_->introduce({.transport = std::move(lease_.transport), .capabilities = lease_.capabilities},
                       introduction(pool_.settings_.identity, client_), until_ - pool_.loop_.now());
}

/// A connection that was idle may be stale: that is no failure of the server's, and another is opened.
void PoolRequest::introduced(Opener::Outcome outcome) {
    if (!outcome) {
        drop_opening();
        is_new_ = true;
        return try_servers();
    }
    lease_.transport = std::move(outcome->transport);
    lease_.capabilities = std::move(outcome->capabilities);
    pool_.observer_.acquired(Acquired::kReused);
    answer(std::move(lease_));
}

void PoolRequest::wait_in_line() {
    const TimePoint now = pool_.loop_.now();
    if (!std::exchange(has_waited_, true)) waiting_since_ = now;
    const Duration left = waiting_since_ + pool_.settings_.wait_timeout - now;
    patience_.start(std::max(left, Duration::zero()));
    if (std::exchange(is_waiting_, true)) return;
    pool_.observer_.waiting(1);
    pool_.wait(shared_from_this());
}

void PoolRequest::stand_in_line(PoolGroup& group, std::size_t member) {
    place_ = group.wait(member, waiting_since_);
}

void PoolRequest::end_wait() {
    if (!std::exchange(is_waiting_, false)) return;
    if (place_) pool_.group_.leave(*place_);
    place_.reset();
    patience_.stop();
    until_ = pool_.loop_.now() + pool_.settings_.connect_timeout;
    pool_.observer_.waiting(-1);
    pool_.observer_.waited(pool_.loop_.now() - waiting_since_);
}

void PoolRequest::on_patience() {
    // Whoever hears the answer lets this go; the timer whose callback this is must outlive it.
    pool_.loop_.defer([keep = shared_from_this()] {});
    if (is_waiting_) {
        end_wait();
        pool_.observer_.acquired(Acquired::kTimeout);
        return fail({.why = Why::kBusy, .what = "all connections that are allowed are in use"});
    }
    if (!opener_) return;
    // Who has said something may only be slow, and gets more; but never all of it.
    if (opener_->has_talked() && !std::exchange(is_extended_, true))
        return patience_.start((until_ - pool_.loop_.now()) / 2);
    failure_ = {.why = Why::kTimedOut, .what = "no answer in time"};
    pool_.note_opening(lease_, std::unexpected(failure_), pool_.loop_.now() - began_);
    give_up_on_server();
}

void PoolRequest::answer(Lease lease) {
    const Pool::Ticket keep = shared_from_this();
    opener_.reset();
    if (pool_.settings_.identity != Identity::kNone) lease.told = client_;
    if (const Server* const server = pool_.snapshot_->find(lease.endpoint, lease.address))
        lease.active = TotalSlot::take(server->totals, &ServerTotals::active, ~std::uint64_t{0});
    Pool::Answer answer = std::move(answer_);
    answer(std::move(lease));
}

void PoolRequest::fail(OpeningFailure failure) {
    const Pool::Ticket keep = shared_from_this();
    end_wait();
    Pool::Answer answer = std::move(answer_);
    answer(std::unexpected(std::move(failure)));
}

void PoolRequest::drop_opening() {
    opener_.reset();
    if (lease_.open || lease_.transport) pool_.discard(std::exchange(lease_, {}));
}

}  // namespace gatepost::upstream

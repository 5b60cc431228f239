// The upstream side of a connection: what it asks its worker's pool for, and how it lets go.
#include <utility>

#include "proxy/net/listener.h"
#include "proxy/server/connection.h"
#include "proxy/server/labels.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

void Connection::open_upstream(const session::UpstreamWanted& wanted) {
    pool_ = &generation_.pool(wanted.upstream);
    generation_.describe_upstream(wanted.upstream, context_);
    ticket_ = pool_->ask(
        {.session = id_.value,
         .address = address_,
         .listener_address = destination_.is_ip() ? destination_ : net::local_address(client_.fd()),
         .greeting_name = std::string(wanted.greeting_name),
         .is_esmtp = wanted.is_esmtp,
         .user = std::string(wanted.user)},
        wanted.is_new, [this](std::expected<upstream::Lease, upstream::OpeningFailure> outcome) {
            upstream_answered(std::move(outcome));
        });
}

void Connection::upstream_answered(std::expected<upstream::Lease, upstream::OpeningFailure> outcome) {
    ticket_.reset();
    if (!outcome) {
        const upstream::OpeningFailure& failure = outcome.error();
        conversation_->on(session::UpstreamNotOpened{.how = to_outcome(failure.why), .what = failure.what});
        return after_event();
    }
    lease_ = std::move(*outcome);
    lease_->transport->set_handler(*this);
    generation_.describe_endpoint(lease_->endpoint, lease_->name, context_);
    conversation_->on(
        session::UpstreamReady{.capabilities = lease_->capabilities, .was_used = lease_->was_used()});
    after_event();
}

void Connection::leave_upstream(session::UpstreamGoodbye goodbye) {
    ticket_.reset();
    if (!lease_) return;
    upstream::Lease lease = std::move(*lease_);
    lease_.reset();
    switch (goodbye) {
        case session::UpstreamGoodbye::kReturn: return pool_->give_back(std::move(lease));
        case session::UpstreamGoodbye::kQuit: return pool_->end(std::move(lease), true);
        case session::UpstreamGoodbye::kAbort: return pool_->end(std::move(lease), false);
    }
}

}  // namespace gatepost::server

#include "backends/redis/sentinel.h"

#include <charconv>
#include <utility>

#include "backends/redis/redis_command.h"
#include "backends/redis/redis_url.h"

namespace gatepost::backends {

namespace {

/// "127.0.0.1" and "6379"; with `resolve-hostnames` in Sentinel a name instead of an address.
std::string endpoint_of(const RedisReply& reply) {
    using Kind = RedisReply::Kind;
    if (!reply.is(Kind::kArray) || reply.items.size() != 2) return {};
    for (const RedisReply& part : reply.items) {
        if (!part.is(Kind::kText)) return {};
    }
    std::string host(reply.items[0].octets.reveal());
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    std::string endpoint = host + ":" + std::string(reply.items[1].octets.reveal());
    return net::parse_endpoint(endpoint) ? endpoint : std::string();
}

}  // namespace

Sentinel::Sentinel(net::EventLoop& loop, net::Resolver& resolver, SentinelSettings settings)
    : loop_(loop),
      resolver_(resolver),
      settings_(std::move(settings)),
      deadline_(loop, [this] { give_up_on_it("no answer in time"); }) {}

Sentinel::~Sentinel() = default;

void Sentinel::find(Answer answer) {
    leave();
    answer_ = std::move(answer);
    asked_ = 0;
    complaints_.clear();
    ask_next();
}

void Sentinel::ask_next() {
    const std::string& server = settings_.servers[(first_ + asked_) % settings_.servers.size()];
    settings_.link.tls_name = host_of(server);
    asking_ = std::make_shared<int>();
    deadline_.start(settings_.patience);
    resolver_.resolve(server, loop_, [this, question = std::weak_ptr(asking_)](net::Resolution found) {
        if (!question.expired()) on_resolved(std::move(found));
    });
}

void Sentinel::on_resolved(net::Resolution found) {
    if (!found) return give_up_on_it(found.error().message);
    // Sentinel speaks of the master by address or by name; that one is resolved here too.
    if (link_)
        return finish(FoundServer{.addresses = std::move(found->addresses), .host = settings_.link.tls_name});
    link_ = std::make_unique<RedisLink>(loop_, found->addresses.front(), settings_.link,
                                        static_cast<RedisLinkHandler&>(*this));
}

void Sentinel::on_link_ready() {
    const Secret question = format_command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings_.master});
    link_->send(question.reveal());
}

void Sentinel::on_link_reply(RedisReply reply) {
    const std::string master = endpoint_of(reply);
    if (master.empty()) {
        return give_up_on_it(reply.is(RedisReply::Kind::kError) ? reply.error_code()
                                                                : "it does not know the master");
    }
    settings_.link.tls_name = host_of(master);
    asking_ = std::make_shared<int>();
    resolver_.resolve(master, loop_, [this, question = std::weak_ptr(asking_)](net::Resolution found) {
        if (!question.expired()) on_resolved(std::move(found));
    });
}

void Sentinel::on_link_lost(std::string_view reason) {
    give_up_on_it(reason);
}

void Sentinel::give_up_on_it(std::string_view reason) {
    const std::size_t count = settings_.servers.size();
    (complaints_ += complaints_.empty() ? "Sentinel " : "; Sentinel ") +=
        settings_.servers[(first_ + asked_) % count];
    (complaints_ += ": ") += reason;
    leave();
    if (++asked_ < count) return ask_next();
    finish(fail("no Sentinel names the master: " + complaints_));
}

/// The link may be the one that is calling.
void Sentinel::leave() {
    asking_.reset();
    deadline_.stop();
    if (!link_) return;
    link_->close();
    loop_.defer([leaving = std::move(link_)] {});
}

void Sentinel::finish(Result<FoundServer> found) {
    if (found) first_ = (first_ + asked_) % settings_.servers.size();
    leave();
    if (answer_) std::exchange(answer_, nullptr)(std::move(found));
}

}  // namespace gatepost::backends

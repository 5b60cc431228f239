#include "proxy/upstream/prober.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/net/timer.h"
#include "proxy/upstream/health.h"
#include "proxy/upstream/introduction.h"
#include "proxy/upstream/opener.h"

namespace gatepost::upstream {
namespace {

constexpr std::chrono::seconds kGrace{1};

}  // namespace

/// One server's probes, one at a time.
class Prober::Address final {
  public:
    Address(Prober& prober, Server server)
        : prober_(prober),
          server_(std::move(server)),
          health_(prober.settings_.rise, prober.settings_.fall),
          next_(prober.loop_, [this] { begin(); }) {
        next_.start(Duration::zero());
    }

    [[nodiscard]] const Server& server() const noexcept { return server_; }
    [[nodiscard]] bool is_probed() const noexcept { return is_probed_; }

    /// `may_eject`: others are well.
    void served(bool good, bool may_eject) {
        if (!health_.note_session(good) || !may_eject) return;
        health_.eject();
        tell("sessions failed, one after the other");
        prober_.publish();
    }

  private:
    void begin() {
        opener_ = std::make_unique<Opener>(prober_.loop_, prober_.settings_.opener,
                                           [this](Opener::Outcome outcome) { end(std::move(outcome)); });
        opener_->open(server_, own_header(prober_.settings_.identity, server_.address), {},
                      prober_.settings_.timeout);
    }

    void end(Opener::Outcome outcome) {
        opener_.reset();
        next_.start(prober_.settings_.interval);
        is_probed_ = true;
        const bool good = outcome.has_value();
        const smtp::Capabilities before = server_.capabilities;
        if (outcome) {
            outcome->transport->write("QUIT\r\n");
            outcome->transport->finish(kGrace);
            server_.capabilities = std::move(outcome->capabilities);
            server_.is_known = true;
        }
        prober_.observer_.probed(server_.endpoint, good ? nullptr : &outcome.error());
        const bool changed = health_.note(good);
        if (changed) tell(good ? "" : printable(outcome.error().what));
        if (changed || before != server_.capabilities) prober_.publish();
    }

    void tell(std::string_view what) {
        server_.is_healthy = health_.is_healthy();
        prober_.observer_.health_changed(server_.endpoint, server_.address.to_string(), server_.is_healthy,
                                         what);
    }

    Prober& prober_;
    Server server_;
    Health health_;
    bool is_probed_ = false;  ///< once, at least in vain
    net::Timer next_;
    std::unique_ptr<Opener> opener_;
};

/// One name of the configuration, and the addresses that it has.
class Prober::Endpoint final : public std::enable_shared_from_this<Endpoint> {
  public:
    Endpoint(Prober& prober, std::size_t index)
        : prober_(prober), index_(index), again_(prober.loop_, [this] { resolve(); }) {
        // What is no name needs no DNS, and sessions need not wait for the first answer.
        if (const auto address = net::numeric_endpoint(settings().name)) {
            become({.addresses = {*address}});
        } else {
            again_.start(Duration::zero());
        }
    }

    void append_to(std::vector<Server>& servers) const {
        for (const auto& address : addresses_) servers.push_back(address->server());
    }

    [[nodiscard]] bool is_probed() const {
        if (addresses_.empty()) return has_failed_;
        return std::ranges::all_of(addresses_, [](const auto& address) { return address->is_probed(); });
    }

    [[nodiscard]] Address* find(const net::SocketAddress& address) const {
        const auto found = std::ranges::find_if(
            addresses_, [&](const auto& one) { return one->server().address == address; });
        return found == addresses_.end() ? nullptr : found->get();
    }

  private:
    [[nodiscard]] const ServerToProbe& settings() const { return prober_.settings_.servers[index_]; }

    void resolve() {
        prober_.resolver_.resolve(settings().name, prober_.loop_,
                                  [self = weak_from_this()](net::Resolution resolution) {
                                      if (const auto endpoint = self.lock())
                                          endpoint->resolved(std::move(resolution));
                                  });
    }

    void resolved(net::Resolution resolution) {
        if (resolution) {
            has_failed_ = false;
            ask_again_in(net::clamp_ttl(resolution->ttl));
            return become(*resolution);
        }
        ask_again_in(prober_.settings_.interval);
        // An outage of the DNS is none of the servers'.
        if (resolution.error().failure == net::ResolveFailure::kNoSuchName) become({});
        if (!addresses_.empty()) return;
        const OpeningFailure failure{.why = OpeningFailure::Why::kNoAddress,
                                     .what = resolution.error().message};
        const bool had_failed = std::exchange(has_failed_, true);
        prober_.observer_.probed(index_, &failure);
        if (!had_failed) prober_.observer_.health_changed(index_, "", false, failure.what);
    }

    /// A server that cannot be had may have moved.
    void ask_again_in(Duration time) {
        const bool is_well =
            std::ranges::any_of(addresses_, [](const auto& address) { return address->server().is_healthy; });
        again_.start(is_well ? time : std::min(time, prober_.settings_.interval));
    }

    /// Of an answer that is cut, or lacks a family, the rest is not known: nothing has vanished by it.
    void become(const net::Resolved& resolved) {
        const net::Addresses& now = resolved.addresses;
        const auto has_vanished = [&](const auto& address) {
            const net::SocketAddress& known = address->server().address;
            const bool nobody_knows =
                resolved.is_cut || (resolved.lacks_v6 && known.ip_octets().size() == 16);
            return !nobody_knows && std::ranges::find(now, known) == now.end();
        };
        const bool vanished = std::erase_if(addresses_, has_vanished) > 0;
        bool appeared = false;
        for (const net::SocketAddress& address : now) {
            if (find(address) != nullptr || !make_room(now)) continue;
            appeared = true;
            addresses_.push_back(std::make_unique<Address>(
                prober_, Server{.endpoint = index_,
                                .name = settings().name,
                                .tls_name = settings().tls_name,
                                .address = address,
                                .is_healthy = false,
                                .is_known = false,
                                .capabilities = {},
                                .totals = prober_.settings_.totals->of(settings().name, address)}));
        }
        if (vanished || appeared) prober_.publish();
    }

    /// Answers that are cut may each have others: one that is not well, and not there now, is worth its place
    /// least.
    [[nodiscard]] bool make_room(const net::Addresses& now) {
        if (addresses_.size() < net::kMostAddresses) return true;
        const auto least = std::ranges::find_if(addresses_, [&](const auto& address) {
            const Server& server = address->server();
            return !server.is_healthy && std::ranges::find(now, server.address) == now.end();
        });
        if (least == addresses_.end()) return false;
        addresses_.erase(least);
        return true;
    }

    Prober& prober_;
    const std::size_t index_;
    net::Timer again_;
    std::vector<std::unique_ptr<Address>> addresses_;
    bool has_failed_ = false;
};

Prober::Prober(net::EventLoop& loop, net::Resolver& resolver, ProbeSettings settings, ProbeObserver& observer)
    : loop_(loop), resolver_(resolver), settings_(std::move(settings)), observer_(observer) {
    for (std::size_t i = 0; i < settings_.servers.size(); ++i)
        endpoints_.push_back(std::make_shared<Endpoint>(*this, i));
    is_complete_ = true;
    snapshot_ = current();
}

Prober::~Prober() = default;

bool Prober::is_probed() const {
    return std::ranges::all_of(endpoints_, [](const auto& endpoint) { return endpoint->is_probed(); });
}

void Prober::served(std::size_t endpoint, const net::SocketAddress& address, bool good) {
    Address* const server = endpoint < endpoints_.size() ? endpoints_[endpoint]->find(address) : nullptr;
    if (server == nullptr) return;
    const bool others_are_well = std::ranges::any_of(snapshot_->servers, [&](const Server& other) {
        return other.is_healthy && (other.endpoint != endpoint || other.address != address);
    });
    server->served(good, others_are_well);
}

std::shared_ptr<const Snapshot> Prober::current() const {
    auto snapshot = std::make_shared<Snapshot>();
    for (const auto& endpoint : endpoints_) endpoint->append_to(snapshot->servers);
    return snapshot;
}

void Prober::publish() {
    if (!is_complete_) return;
    snapshot_ = current();
    observer_.snapshot_changed(snapshot_);
}

}  // namespace gatepost::upstream

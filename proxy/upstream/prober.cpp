#include "proxy/upstream/prober.h"

#include <cstring>
#include <optional>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/net/dialer.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"
#include "proxy/smtp/upstream_leg.h"
#include "proxy/upstream/health.h"

namespace gatepost::upstream {
namespace {

constexpr std::chrono::seconds kGrace{1};

}  // namespace

/// One server's probes, one at a time.
class Prober::ServerProbe final : public net::TransportHandler,
                                  public std::enable_shared_from_this<ServerProbe> {
  public:
    ServerProbe(Prober& prober, std::size_t server, net::EventLoop& loop, net::Resolver& resolver)
        : prober_(prober),
          server_(server),
          loop_(loop),
          resolver_(resolver),
          health_(prober.settings_.rise, prober.settings_.fall),
          next_(loop, [this] { begin(); }),
          deadline_(loop, [this] { end(false, "no answer in time"); }),
          patience_(loop, [this] { give_up_on_address(); }) {
        known_.name = prober.settings_.servers[server].name;
        known_.tls_name = prober.settings_.servers[server].tls_name;
    }

    void begin() {
        deadline_.start(prober_.settings_.timeout);
        is_probing_ = true;
        resolver_.resolve(known_.name, loop_, [self = weak_from_this()](net::Resolution addresses) {
            if (const auto probe = self.lock()) probe->resolved(std::move(addresses));
        });
    }

    void start_soon() { next_.start(Duration::zero()); }

    std::size_t on_bytes(net::Transport& /*transport*/, ByteView bytes) override {
        std::size_t consumed = 0;
        while (is_probing_ && leg_) {
            std::string out;
            const smtp::UpstreamLeg::Result result = leg_->next(bytes.substr(consumed), out);
            consumed += result.consumed;
            const bool talks_unasked = result.ends_silence && consumed < bytes.size();
            if (!out.empty()) transport_->write(out);
            take(talks_unasked ? smtp::UpstreamLeg::Event::kNonsense : result.event);
            if (result.consumed == 0) break;
        }
        return is_probing_ ? consumed : bytes.size();
    }
    void on_tls_established(net::Transport& /*transport*/) override {
        if (!is_probing_ || leg_->state() != smtp::UpstreamLeg::State::kHandshake) return;
        std::string out;
        leg_->secured(out);
        transport_->write(out);
        transport_->flush();
    }
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause cause) override {
        if (cause == net::CloseCause::kConnectFailed && dial_next()) return;
        if (cause == net::CloseCause::kTlsFailed)
            return end(false, "TLS failed: " + std::string(transport_->tls_failure()));
        end(false, cause == net::CloseCause::kConnectFailed ? "connection failed" : "connection closed");
    }

  private:
    void resolved(net::Resolution addresses) {
        if (!is_probing_) return;
        // Names that cannot be resolved now have the addresses that they had: an outage of the DNS is none of
        // the servers'.
        if (addresses) known_.addresses = std::move(addresses->addresses);
        if (known_.addresses.empty()) return end(false, addresses.error().message);
        address_ = 0;
        if (!dial_next()) end(false, "connection failed");
    }

    /// False: there is no further address.
    bool dial_next() {
        patience_.stop();
        retire();
        while (address_ < known_.addresses.size()) {
            std::expected<net::UniqueFd, int> socket = net::dial(known_.addresses[address_++]);
            if (!socket) continue;
            const Security& security = prober_.settings_.security;
            leg_ = std::make_unique<smtp::UpstreamLeg>(prober_.settings_.our_name, security.start_tls);
            transport_ = std::make_unique<net::Transport>(loop_, std::move(*socket), *this);
            if (security.is_implicit) transport_->start_tls_client(*security.context, known_.tls_name);
            transport_->start();
            // One that hangs does not use up the time for all.
            if (address_ < known_.addresses.size())
                patience_.start(prober_.settings_.timeout / static_cast<int>(known_.addresses.size()));
            return true;
        }
        return false;
    }

    void give_up_on_address() {
        const bool is_silent = is_probing_ && leg_ && leg_->state() == smtp::UpstreamLeg::State::kGreeting;
        if (is_silent && !dial_next()) end(false, "connection failed");
    }

    void take(smtp::UpstreamLeg::Event event) {
        using Event = smtp::UpstreamLeg::Event;
        switch (event) {
            case Event::kNone:
            case Event::kReply: return;
            case Event::kReady:
                known_.capabilities = leg_->capabilities();
                known_.is_known = true;
                transport_->write("QUIT\r\n");
                return end(true, "");
            case Event::kStartTls:
                return transport_->start_tls_client(*prober_.settings_.security.context, known_.tls_name);
            case Event::kNoTls: return end(false, "STARTTLS is required, and not to be had");
            case Event::kRefused:
            case Event::kGoingAway: return end(false, "refused: " + printable(leg_->reply().text));
            case Event::kNonsense: return end(false, "an answer that cannot be");
        }
    }

    void end(bool good, std::string_view what) {
        if (!std::exchange(is_probing_, false)) return;
        deadline_.stop();
        patience_.stop();
        if (good && transport_) transport_->finish(kGrace);
        retire();
        const bool changed = health_.note(good);
        known_.is_healthy = health_.is_healthy();
        prober_.observer_.probed(server_, good, what);
        if (changed) prober_.observer_.health_changed(server_, known_.is_healthy, what);
        prober_.update(server_, known_);
        next_.start(prober_.settings_.interval);
    }

    /// The transport may be in the middle of a callback: it is destroyed after it.
    void retire() {
        if (!transport_) return;
        transport_->close();
        loop_.defer([old = std::move(transport_)] {});
    }

    Prober& prober_;
    const std::size_t server_;
    net::EventLoop& loop_;
    net::Resolver& resolver_;
    Server known_;
    Health health_;
    net::Timer next_;
    net::Timer deadline_;
    net::Timer patience_;  ///< with an address that says nothing, while there are others
    std::unique_ptr<smtp::UpstreamLeg> leg_;
    std::unique_ptr<net::Transport> transport_;
    std::size_t address_ = 0;
    bool is_probing_ = false;
};

Prober::Prober(net::EventLoop& loop, net::Resolver& resolver, ProbeSettings settings, ProbeObserver& observer)
    : settings_(std::move(settings)), observer_(observer) {
    auto first = std::make_shared<Snapshot>();
    for (const ServerToProbe& server : settings_.servers) {
        Server known{.name = server.name,
                     .tls_name = server.tls_name,
                     .addresses = {},
                     .is_healthy = false,
                     .capabilities = {}};
        if (const auto address = net::numeric_endpoint(server.name)) known.addresses = {*address};
        first->servers.push_back(std::move(known));
    }
    snapshot_ = std::move(first);
    for (std::size_t i = 0; i < settings_.servers.size(); ++i) {
        probes_.push_back(std::make_shared<ServerProbe>(*this, i, loop, resolver));
        probes_.back()->start_soon();
    }
}

Prober::~Prober() = default;

void Prober::update(std::size_t server, Server now) {
    const Server& before = snapshot_->servers[server];
    if (before.addresses == now.addresses && before.is_healthy == now.is_healthy &&
        before.capabilities == now.capabilities) {
        return;
    }
    auto next = std::make_shared<Snapshot>(*snapshot_);
    next->servers[server] = std::move(now);
    snapshot_ = std::move(next);
    observer_.snapshot_changed(snapshot_);
}

}  // namespace gatepost::upstream

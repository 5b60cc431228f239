// Pools of one upstream, all on one loop, their servers and their sessions. At its end nothing may be left:
// no connection, no slot, nobody who waits.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/upstream/pool.h"
#include "proxy/upstream/pool_request.h"
#include "tests/unit/proxy/upstream/fake_mta.h"

namespace gatepost::upstream::test {

/// A session that has asked a pool for a connection.
struct Session {
    Pool* pool = nullptr;
    Pool::Ticket ticket;
    std::optional<Lease> lease;
    std::optional<OpeningFailure> failure;

    [[nodiscard]] bool is_over() const { return lease || failure; }
};

class PoolTest : public LoopTest, public PoolObserver, private net::TransportHandler {
  protected:
    void TearDown() override {
        for (Session& session : sessions_) {
            session.ticket.reset();
            if (session.lease) session.pool->end(*std::exchange(session.lease, std::nullopt), false);
        }
        for (const auto& pool : pools_) pool->drain();
        EXPECT_TRUE(run_until([&] { return mta_.open() + other_.open() == 0; }));
        for (const auto& totals : totals_) {
            EXPECT_EQ(totals->open.taken(), 0U);
            EXPECT_EQ(totals->active.taken(), 0U);
            EXPECT_EQ(totals->idle.taken(), 0U);
        }
        EXPECT_EQ(waiting_, 0);
        EXPECT_FALSE(group_.is_anybody_waiting());
        EXPECT_EQ(loop_.residents(), 0U);
    }

    Pool& make_pool() {
        pools_.push_back(std::make_unique<Pool>(loop_, settings_, group_, *this));
        pools_.back()->set_snapshot(snapshot({&mta_}));
        return *pools_.back();
    }
    std::shared_ptr<Snapshot> snapshot(const std::vector<const FakeMta*>& mtas) {
        auto made = std::make_shared<Snapshot>();
        for (const FakeMta* const mta : mtas) {
            const std::size_t endpoint = mta == &mta_ ? 0 : 1;
            made->servers.push_back(server_of(*mta, endpoint));
            made->servers.back().totals = totals_[endpoint];
        }
        return made;
    }

    Session& ask(Pool& pool, const std::string& user = "", bool is_new = false) {
        Session& session = sessions_.emplace_back();
        session.pool = &pool;
        session.ticket = pool.ask({.session = session_number_,
                                   .address = *net::SocketAddress::parse("192.0.2.1:99"),
                                   .listener_address = *net::SocketAddress::parse("198.51.100.1:587"),
                                   .greeting_name = "client.test",
                                   .is_esmtp = true,
                                   .user = user},
                                  is_new, [this, &session](std::expected<Lease, OpeningFailure> answer) {
                                      session.ticket.reset();
                                      answered_.push_back(&session);
                                      if (!answer) {
                                          session.failure = std::move(answer.error());
                                          return;
                                      }
                                      session.lease = std::move(*answer);
                                      session.lease->transport->set_handler(*this);
                                  });
        EXPECT_FALSE(session.is_over()) << "never inside the call";
        return session;
    }
    [[nodiscard]] bool await(const Session& session) {
        return run_until([&] { return session.is_over(); });
    }
    /// One that has a connection.
    Session& leased(Pool& pool, const std::string& user = "", bool is_new = false) {
        Session& session = ask(pool, user, is_new);
        EXPECT_TRUE(await(session));
        EXPECT_TRUE(session.lease) << session.failure->what;
        return session;
    }
    static void give_back(Session& session) {
        session.pool->give_back(*std::exchange(session.lease, std::nullopt));
    }
    static void end(Session& session) {
        session.pool->end(*std::exchange(session.lease, std::nullopt), false);
    }
    /// Leases and gives back.
    void use(Pool& pool, const std::string& user = "") { give_back(leased(pool, user)); }
    [[nodiscard]] std::string why(Session& session) {
        EXPECT_TRUE(await(session));
        if (!session.failure) return "connected";
        return std::to_string(static_cast<int>(session.failure->why)) + ' ' + session.failure->what;
    }
    [[nodiscard]] bool await_open(const FakeMta& mta, std::size_t count) {
        return run_until([&] { return mta.open() == count; });
    }
    [[nodiscard]] std::uint64_t idle(std::size_t endpoint = 0) const {
        return totals_[endpoint]->idle.taken();
    }
    [[nodiscard]] std::uint64_t open(std::size_t endpoint = 0) const {
        return totals_[endpoint]->open.taken();
    }

    void connected(std::size_t /*endpoint*/, const std::optional<OpeningFailure>& failure, Duration /*took*/,
                   std::string_view /*tls_version*/) override {
        connects_.push_back(failure ? failure->what : "ok");
    }
    void acquired(Acquired how) override { acquired_ += "RNT"[static_cast<int>(how)]; }
    void waiting(int change) override { waiting_ += change; }
    void waited(Duration /*how_long*/) override { ++waits_; }
    void served(std::size_t endpoint, const net::SocketAddress& /*address*/, bool good) override {
        served_ += std::to_string(endpoint) + (good ? '+' : '-');
    }

    FakeMta mta_{loop_};
    FakeMta other_{loop_};
    std::vector<std::shared_ptr<ServerTotals>> totals_{std::make_shared<ServerTotals>(),
                                                       std::make_shared<ServerTotals>()};
    PoolSettings settings_{.opener = {.opening = {.our_name = "gw.test"}},
                           .balance = Balance::kFirstHealthy,
                           .wait_timeout = std::chrono::seconds(2),
                           .connect_timeout = std::chrono::seconds(2)};
    PoolGroup group_;
    std::list<Session> sessions_;
    std::uint64_t session_number_ = 1;      ///< of those that ask next
    std::vector<const Session*> answered_;  ///< in this order
    std::string acquired_;                  ///< R(eused), N(ew), T(imeout)
    std::string served_;                    ///< "0+" each
    std::vector<std::string> connects_;
    int waiting_ = 0;
    int waits_ = 0;
    std::vector<std::unique_ptr<Pool>> pools_;

  private:
    // net::TransportHandler, of the sessions' connections
    std::size_t on_bytes(net::Transport& /*transport*/, ByteView bytes) override { return bytes.size(); }
    void on_tls_established(net::Transport& /*transport*/) override {}
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause /*cause*/) override {}
};

/// Two connections are allowed, to all pools together.
class PoolLineTest : public PoolTest {
  protected:
    PoolLineTest() { settings_.max_connections = 2; }

    [[nodiscard]] bool await_waiting(int count) {
        return run_until([&] { return waiting_ == count; });
    }
    Session& waiting(Pool& pool, bool is_new = false) {
        const int before = waiting_;
        Session& session = ask(pool, "", is_new);
        EXPECT_TRUE(await_waiting(before + 1));
        return session;
    }
};

}  // namespace gatepost::upstream::test

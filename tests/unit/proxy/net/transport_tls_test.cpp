#include <algorithm>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "proxy/net/timer.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/transport.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMegabyte = 1024 * 1024;

std::string pattern(std::size_t size) {
    std::string octets(size, '\0');
    for (std::size_t at = 0; at < size; ++at) octets[at] = static_cast<char>(at * 7 + at / 251);
    return octets;
}

/// Both versions: nearly everything must hold for either.
class TransportTlsTest : public ::testing::TestWithParam<int> {
  protected:
    TransportTlsTest() {
        settings.certificates = {make_certificate(folder, "default", "default.example.org")};
        settings.ticket_keys = *TicketKeys::random();
        auto made = TlsContext::make(settings);
        if (!made) throw std::runtime_error(made.error().message);
        context = std::move(*made);
        auto [ours, theirs] = tcp_pair();
        transport.emplace(
            loop, std::move(ours), handler,
            TransportLimits{.high_water = 64 * 1024, .soft_unconsumed = 64 * 1024, .hard = 64 * kMegabyte});
        peer.emplace(std::move(theirs));
    }
    ~TransportTlsTest() override { EXPECT_EQ(handler.calls_after_close, 0); }

    [[nodiscard]] Peer::Tls wish() const {
        return {.version = GetParam(), .name = "", .ciphers = "", .signatures = ""};
    }

    /// Runs the loop while `client` talks; true when the client had ended before
    /// the limit.
    bool while_client(const std::function<void()>& client) {
        std::atomic<bool> ended = false;
        std::jthread talking([&] {
            client();
            ended = true;
        });
        const bool in_time = run_until(loop, [&] { return ended.load(); });
        if (!in_time) ::shutdown(peer->fd(), SHUT_RDWR);
        return in_time;
    }

    TemporaryFolder folder;
    TlsSettings settings;
    EventLoop loop;
    RecordingHandler handler;
    std::unique_ptr<TlsContext> context;
    std::optional<Transport> transport;
    std::optional<Peer> peer;
};

INSTANTIATE_TEST_SUITE_P(Versions, TransportTlsTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& tested) {
                             return tested.param == TLS1_3_VERSION ? "Tls13" : "Tls12";
                         });

TEST_P(TransportTlsTest, ImplicitTls_GreetsInsideTls) {
    handler.when_established = [](Transport& to) { to.write("220 ready\r\n"); };
    transport->start_tls_server(*context);
    transport->start();
    std::string greeting;
    ASSERT_TRUE(while_client([&] {
        if (peer->handshake(wish())) greeting = peer->receive_some();
    }));
    EXPECT_EQ(greeting, "220 ready\r\n");
    EXPECT_EQ(handler.established, 1);
    const TlsFacts facts = transport->tls_facts();
    EXPECT_EQ(facts.version, GetParam() == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(facts.cipher,
              GetParam() == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
    EXPECT_FALSE(facts.resumed);
}

TEST_P(TransportTlsTest, StartTls_AfterAPlainDialogue_SendsTheReplyFirst) {
    handler.consume = [&](Transport& on, ByteView bytes) {
        if (on.is_tls()) {
            on.write("250 inside\r\n");
        } else {
            on.write("220 go ahead\r\n");
            on.start_tls_server(*context);
            on.write("250 must wait for TLS\r\n");
        }
        return bytes.size();
    };
    transport->start();
    std::string plain;
    std::string inside;
    ASSERT_TRUE(while_client([&] {
        peer->send("STARTTLS\r\n");
        plain = peer->receive_some();
        if (!peer->handshake(wish())) return;
        peer->send("EHLO x\r\n");
        inside = peer->receive(23 + 12);
    }));
    EXPECT_EQ(plain, "220 go ahead\r\n");
    EXPECT_EQ(inside, "250 must wait for TLS\r\n250 inside\r\n");
    EXPECT_EQ(handler.received, "STARTTLS\r\nEHLO x\r\n");
}

TEST_P(TransportTlsTest, StartTls_WithOctetsPipelinedBehind_Closes) {
    handler.consume = [&](Transport& on, ByteView) {
        on.start_tls_server(*context);
        return std::size_t{10};
    };
    transport->start();
    peer->send("STARTTLS\r\nEHLO injected\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kTlsFailed);
    EXPECT_EQ(transport->tls_failure(), "octets pipelined in front of the handshake");
    EXPECT_EQ(handler.established, 0);
}

TEST_P(TransportTlsTest, WithReceived_TheClientHelloBehindAHeaderIsNotLost) {
    const std::string header = "PROXY UNKNOWN\r\n";
    handler.consume = [&](Transport& on, ByteView bytes) {
        if (!on.is_tls()) {
            EXPECT_GT(bytes.size(), header.size()) << "the ClientHello was to come in the same read";
            on.start_tls_server(*context, TlsStart::kWithReceived);
            return header.size();
        }
        on.write("250 ok\r\n");
        return bytes.size();
    };
    std::string reply;
    ASSERT_TRUE(while_client([&] {
        ::send(peer->fd(), header.data(), header.size(), MSG_NOSIGNAL);
        // The transport starts once the ClientHello is there too.
        loop.post([this] {
            std::this_thread::sleep_for(50ms);
            transport->start();
        });
        if (!peer->handshake(wish())) return;
        peer->send("NOOP\r\n");
        reply = peer->receive_some();
    }));
    EXPECT_EQ(reply, "250 ok\r\n");
    EXPECT_EQ(handler.received, header + "NOOP\r\n");
}

TEST_P(TransportTlsTest, WithReceived_WhenTheClientHelloIsSplitAnywhere_Works) {
    // Half of the ClientHello is shown as received, the rest comes later over the
    // socket.
    handler.consume = [&](Transport& on, ByteView bytes) {
        if (on.is_tls()) return bytes.size();
        if (bytes.size() < 20) return std::size_t{0};
        on.start_tls_server(*context, TlsStart::kWithReceived);
        return std::size_t{0};
    };
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (peer->handshake(wish())) peer->send("NOOP\r\n");
        peer->shutdown_tls();
        peer->receive_all();
    }));
    EXPECT_EQ(handler.established, 1);
    EXPECT_EQ(handler.received, "NOOP\r\n");
}

TEST_P(TransportTlsTest, BigTransfer_FromThePeer_IsWhole) {
    transport->start_tls_server(*context);
    transport->start();
    const std::string body = pattern(8 * kMegabyte + 12345);
    ASSERT_TRUE(while_client([&] {
        if (peer->handshake(wish())) peer->send(body);
        peer->shutdown_tls();
        peer->receive_all();
    }));
    EXPECT_TRUE(handler.received == body);
    EXPECT_EQ(handler.closed, CloseCause::kEof);
    EXPECT_LT(handler.shown.size(), 2 * body.size() / 16384);
}

TEST_P(TransportTlsTest, BigTransfer_ToASlowPeer_CongestsAndArrivesWhole) {
    const std::string body = pattern(16 * kMegabyte);
    bool was_congested = false;
    std::promise<void> written;
    handler.when_established = [&](Transport& to) {
        for (std::size_t at = 0; at < body.size(); at += 300000) to.write(ByteView(body).substr(at, 300000));
        was_congested = to.is_congested();
        written.set_value();
    };
    transport->start_tls_server(*context);
    transport->start();
    std::string got;
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        written.get_future().wait();
        got = peer->receive(body.size());
    }));
    EXPECT_TRUE(was_congested);
    EXPECT_TRUE(got == body);
    ASSERT_TRUE(run_until(loop, [&] { return handler.drained == 1; }));
    EXPECT_EQ(transport->unsent(), 0U);
}

TEST_P(TransportTlsTest, PauseAtEachBlock_WithOctetsLeftInsideTls_LosesNothing) {
    // Many small records in one read: most of them stay inside OpenSSL when the
    // handler pauses after the first.
    handler.consume = [&](Transport& from, ByteView) {
        from.pause_reading();
        loop.defer([&from] { from.resume_reading(); });
        return std::size_t{1};
    };
    transport->start_tls_server(*context);
    transport->start();
    std::string body = pattern(3000);
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        for (std::size_t at = 0; at < body.size(); at += 100)
            peer->send(std::string_view(body).substr(at, 100));
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.received.size() == body.size(); }));
    EXPECT_TRUE(handler.received == body);
}

TEST_P(TransportTlsTest, CloseNotify_WhilePaused_IsToldOnResumeAfterTheRest) {
    handler.consume = [](Transport& from, ByteView) {
        from.pause_reading();
        return std::size_t{1};
    };
    transport->start_tls_server(*context);
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        peer->send("abc");
        peer->shutdown_tls();  // the connection itself stays open
    }));
    ASSERT_TRUE(run_until(loop, [&] { return !handler.shown.empty(); }));
    EXPECT_FALSE(handler.closed);
    handler.consume = nullptr;
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.received, "abc");
    EXPECT_EQ(handler.closed, CloseCause::kEof);
}

TEST_P(TransportTlsTest, EndWithoutCloseNotify_IsADrop) {
    transport->start_tls_server(*context);
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        peer->send("half a mess");
        peer->close();
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.received, "half a mess");
    EXPECT_EQ(handler.closed, CloseCause::kDropped);
}

TEST_P(TransportTlsTest, Finish_SaysCloseNotify) {
    handler.consume = [](Transport& to, ByteView bytes) {
        to.write("221 bye\r\n");
        to.finish(5s);
        return bytes.size();
    };
    transport->start_tls_server(*context);
    transport->start();
    std::string reply;
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        peer->send("QUIT\r\n");
        reply = peer->receive_all();
    }));
    EXPECT_EQ(reply, "221 bye\r\n");
    EXPECT_TRUE(peer->saw_close_notify());
    EXPECT_FALSE(handler.closed);
}

TEST_P(TransportTlsTest, Finish_WithASlowPeer_SendsEverythingAndCloseNotify) {
    const std::string body = pattern(16 * kMegabyte);
    handler.when_established = [&](Transport& to) {
        to.write(body);
        to.write("221 bye\r\n");
        EXPECT_GT(to.unsent(), 0U);
        to.finish(10s);
        loop.defer([this] { transport.reset(); });
    };
    transport->start_tls_server(*context);
    transport->start();
    std::string got;
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        got = peer->receive_all();
        peer->close();
    }));
    EXPECT_TRUE(got == body + "221 bye\r\n");
    EXPECT_TRUE(peer->saw_close_notify());
    ASSERT_TRUE(run_until(loop, [&] { return loop.residents() == 0; }));
}

TEST_P(TransportTlsTest, PlaintextInsteadOfTls_IsClosed) {
    transport->start_tls_server(*context);
    transport->start();
    peer->send("EHLO i.am.not.tls\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kTlsFailed);
    EXPECT_EQ(transport->tls_failure(), "wrong version number");
    EXPECT_EQ(handler.established, 0);
}

TEST_P(TransportTlsTest, GarbageInsideTheSession_IsClosedAndNotShown) {
    transport->start_tls_server(*context);
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        peer->send("good");
        const std::string record("\x17\x03\x03\x00\x20 0123456789012345678901234567890", 37);
        ::send(peer->fd(), record.data(), record.size(), MSG_NOSIGNAL);
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.received, "good");
    EXPECT_EQ(handler.closed, CloseCause::kTlsFailed);
}

TEST_P(TransportTlsTest, HalfARecord_IsAwaitedWithoutSpinning) {
    transport->start_tls_server(*context);
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (!peer->handshake(wish())) return;
        peer->send("whole");
        const std::string half("\x17\x03\x03\x40\x00 the rest never comes", 25);
        ::send(peer->fd(), half.data(), half.size(), MSG_NOSIGNAL);
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "whole"; }));
    const auto processor_time = [] {
        timespec spent{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
        return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
    };
    Timer stop(loop, [&] { loop.stop(); });
    stop.start(300ms);
    const auto before = processor_time();
    loop.run();
    EXPECT_LT(processor_time() - before, 100ms);
    EXPECT_FALSE(handler.closed);
}

TEST_P(TransportTlsTest, PeerGoneInTheHandshake_IsADrop) {
    transport->start_tls_server(*context);
    transport->start();
    const std::string half_a_hello("\x16\x03\x01\x02\x00\x01", 6);
    peer->send(half_a_hello);
    peer->close();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kDropped);
}

TEST_P(TransportTlsTest, Context_WhenDestroyedDuringTheHandshake_IsStillGood) {
    transport->start_tls_server(*context);
    transport->start();
    context.reset();
    ASSERT_TRUE(while_client([&] {
        Peer::Tls named = wish();
        named.name = "default.example.org";
        if (peer->handshake(named)) peer->send("hello");
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "hello"; }));
}

TEST_P(TransportTlsTest, Paused_DuringTheHandshake_StillFinishesIt) {
    transport->start_tls_server(*context);
    transport->pause_reading();
    transport->start();
    ASSERT_TRUE(while_client([&] {
        if (peer->handshake(wish())) peer->send("x");
    }));
    ASSERT_TRUE(run_until(loop, [&] { return handler.established == 1; }));
    EXPECT_TRUE(handler.shown.empty());
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "x"; }));
}

}  // namespace
}  // namespace gatepost::net::testing

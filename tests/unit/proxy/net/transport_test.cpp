#include "proxy/net/transport.h"

#include <algorithm>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "proxy/net/dialer.h"
#include "proxy/net/listener.h"
#include "proxy/net/timer.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMegabyte = 1024 * 1024;

/// Octets whose place in the stream can be told.
std::string pattern(std::size_t size) {
    std::string octets(size, '\0');
    for (std::size_t at = 0; at < size; ++at) octets[at] = static_cast<char>(at * 7 + at / 251);
    return octets;
}

class TransportTest : public ::testing::Test {
  protected:
    void open(std::pair<UniqueFd, UniqueFd> sockets, TransportLimits limits = {}) {
        transport.emplace(loop, std::move(sockets.first), handler, limits);
        peer.emplace(std::move(sockets.second));
    }
    void open() { open(tcp_pair()); }

    ~TransportTest() override {
        EXPECT_EQ(handler.calls_after_close, 0);
        transport.reset();
        EXPECT_EQ(loop.residents(), 0U);
        EXPECT_EQ(loop.buffered(), 0);
    }

    EventLoop loop;
    RecordingHandler handler;
    std::optional<Transport> transport;
    std::optional<Peer> peer;
};

TEST_F(TransportTest, Bytes_WhenThePeerSends_AreShown) {
    open();
    transport->start();
    peer->send("EHLO x\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "EHLO x\r\n"; }));
    EXPECT_EQ(handler.shown.size(), 1U);
}

TEST_F(TransportTest, Nothing_IsReadBeforeStart) {
    open();
    peer->send("early");
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_TRUE(handler.shown.empty());
    transport->start();
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "early"; }));
}

TEST_F(TransportTest, UnconsumedBytes_AreShownAgainInFrontOfTheNext) {
    open();
    handler.consume = [](Transport&, ByteView bytes) {
        const std::size_t end = bytes.rfind('\n');
        return end == ByteView::npos ? 0 : end + 1;
    };
    transport->start();
    peer->send("one\ntw");
    ASSERT_TRUE(run_until(loop, [&] { return handler.shown.size() == 1; }));
    peer->send("o\nthree");
    ASSERT_TRUE(run_until(loop, [&] { return handler.shown.size() == 2; }));
    EXPECT_EQ(handler.shown[1], "two\nthree");
    peer->send("\n");
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "one\ntwo\nthree\n"; }));
}

TEST_F(TransportTest, OneByteTrickle_ArrivesWhole) {
    open();
    handler.consume = [](Transport&, ByteView bytes) { return bytes.ends_with('\n') ? bytes.size() : 0; };
    transport->start();
    const std::string line = "MAIL FROM:<a@example.org>\r\n";
    std::jthread client([&] {
        for (const char octet : line) {
            peer->send({&octet, 1});
            std::this_thread::sleep_for(1ms);
        }
    });
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == line; }));
    EXPECT_GT(handler.shown.size(), 3U);
}

TEST_F(TransportTest, Writes_AreFlushedAfterTheHandlerAsOne) {
    open(socket_pair());
    handler.consume = [](Transport& to, ByteView bytes) {
        to.write("250-one\r\n");
        to.write("250 two\r\n");
        return bytes.size();
    };
    transport->start();
    peer->send("EHLO x\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.received.empty(); }));
    EXPECT_EQ(peer->receive_some(), "250-one\r\n250 two\r\n");
}

TEST_F(TransportTest, Flush_OutsideTheHandler_SendsAtOnce) {
    open();
    transport->start();
    transport->write("220 ");
    transport->write("ready\r\n");
    EXPECT_EQ(transport->unsent(), 11U);
    transport->flush();
    EXPECT_EQ(transport->unsent(), 0U);
    EXPECT_EQ(peer->receive(11), "220 ready\r\n");
}

TEST_F(TransportTest, LargeWrite_TakesTheCollectedAlongInOrder) {
    open();
    transport->start();
    const std::string body = pattern(40000);
    transport->write("head");
    transport->write(body);
    EXPECT_EQ(transport->unsent(), 0U);
    EXPECT_EQ(peer->receive(4 + body.size()), "head" + body);
}

TEST_F(TransportTest, Output_BeyondWhatThePeerTakes_CongestsAndDrainsOnceInOrder) {
    open(tcp_pair(), {.high_water = 64 * 1024, .soft_unconsumed = 64 * 1024, .hard = 64 * kMegabyte});
    transport->start();
    const std::string body = pattern(16 * kMegabyte);
    bool drained_inside_write = false;
    for (std::size_t at = 0; at < body.size(); at += 100000) {
        transport->write(ByteView(body).substr(at, 100000));
        drained_inside_write = drained_inside_write || handler.drained > 0;
    }
    EXPECT_TRUE(transport->is_congested());
    EXPECT_FALSE(drained_inside_write);
    std::string got;
    std::jthread client([&] { got = peer->receive(body.size()); });
    ASSERT_TRUE(run_until(loop, [&] { return handler.drained == 1; }));
    client.join();
    EXPECT_EQ(transport->unsent(), 0U);
    EXPECT_FALSE(transport->is_congested());
    EXPECT_TRUE(got == body);
    EXPECT_EQ(handler.drained, 1);
}

TEST_F(TransportTest, Drained_WhenFlushSendsAll_IsToldFromTheLoop) {
    open(tcp_pair(), {.high_water = 100, .soft_unconsumed = 1000, .hard = 10000});
    transport->start();
    transport->write(std::string(500, 'x'));
    EXPECT_TRUE(transport->is_congested());
    transport->flush();
    EXPECT_EQ(handler.drained, 0);
    ASSERT_TRUE(run_until(loop, [&] { return handler.drained == 1; }));
}

TEST_F(TransportTest, Output_AboveTheHardLimit_ClosesFromTheLoop) {
    open(tcp_pair(), {.high_water = 1000, .soft_unconsumed = 1000, .hard = 8 * kMegabyte});
    transport->start();
    const std::string chunk(kMegabyte, 'x');
    for (int count = 0; count < 32; ++count) transport->write(chunk);
    EXPECT_FALSE(handler.closed);
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kBufferOverrun);
    EXPECT_FALSE(transport->is_open());
}

TEST_F(TransportTest, Input_LeftAboveTheSoftLimit_PausesUntilResumed) {
    open(tcp_pair(), {.high_water = 1000, .soft_unconsumed = 1000, .hard = kMegabyte});
    bool is_hungry = false;
    handler.consume = [&](Transport&, ByteView bytes) { return is_hungry ? bytes.size() : 0; };
    transport->start();
    peer->send(std::string(2000, 'a'));
    ASSERT_TRUE(
        run_until(loop, [&] { return !handler.shown.empty() && handler.shown.back().size() == 2000; }));
    const std::size_t shown = handler.shown.size();
    peer->send("b");
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_EQ(handler.shown.size(), shown);
    is_hungry = true;
    transport->resume_reading();
    EXPECT_EQ(handler.shown.size(), shown) << "shown inside resume_reading()";
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == std::string(2000, 'a') + "b"; }));
}

TEST_F(TransportTest, Input_LeftAboveTheHardLimit_Closes) {
    open(tcp_pair(), {.high_water = 1000, .soft_unconsumed = 64 * 1024, .hard = 5000});
    handler.consume = [](Transport&, ByteView) { return std::size_t{0}; };
    transport->start();
    peer->send(std::string(6000, 'a'));
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kBufferOverrun);
}

TEST_F(TransportTest, Paused_ReadsNothingAndResumesWithEverything) {
    open();
    handler.consume = [](Transport& from, ByteView) {
        from.pause_reading();
        return std::size_t{2};
    };
    transport->start();
    peer->send("abcd");
    ASSERT_TRUE(run_until(loop, [&] { return handler.shown.size() == 1; }));
    peer->send("ef");
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_EQ(handler.shown.size(), 1U);
    handler.consume = nullptr;
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "abcdef"; }));
}

TEST_F(TransportTest, PauseAndResume_InsideTheHandler_ShowTheRestAgain) {
    open();
    handler.consume = [](Transport& from, ByteView) {
        from.pause_reading();
        from.resume_reading();
        return std::size_t{1};
    };
    transport->start();
    peer->send("abcd");
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "abcd"; }));
    EXPECT_EQ(handler.shown.size(), 4U);
}

TEST_F(TransportTest, Resume_WithoutAPauseInsideTheHandler_DoesNotSpin) {
    open();
    handler.consume = [](Transport& from, ByteView) {
        from.resume_reading();
        return std::size_t{0};
    };
    transport->start();
    peer->send("partial");
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_EQ(handler.shown.size(), 1U);
}

TEST_F(TransportTest, Fin_IsAnOrderlyEndAfterAllBytes) {
    open();
    transport->start();
    peer->send("QUIT\r\n");
    peer->close();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.received, "QUIT\r\n");
    EXPECT_EQ(handler.closed, CloseCause::kEof);
}

TEST_F(TransportTest, Fin_WhilePaused_IsToldOnResume) {
    open();
    handler.consume = [](Transport& from, ByteView bytes) {
        from.pause_reading();
        return bytes.size();
    };
    transport->start();
    peer->send("DATA\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.received.empty(); }));
    peer->close();
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_FALSE(handler.closed);
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kEof);
}

TEST_F(TransportTest, Reset_IsADrop) {
    open();
    transport->start();
    peer->reset();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kDropped);
}

TEST_F(TransportTest, WriteToAGonePeer_IsToldFromTheLoopNotInsideWrite) {
    open();
    peer->reset();
    std::this_thread::sleep_for(20ms);
    transport->write(pattern(20000));
    transport->write(pattern(20000));
    transport->flush();
    EXPECT_FALSE(handler.closed);
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kDropped);
    transport->write("too late");
    transport->flush();
    EXPECT_EQ(transport->unsent(), 0U);
}

TEST_F(TransportTest, ConnectRefused_IsItsOwnCause) {
    auto listening = listen_on("127.0.0.1:0");
    ASSERT_TRUE(listening);
    const SocketAddress free_port = local_address(listening->get());
    listening->reset();
    auto dialed = dial(free_port);
    ASSERT_TRUE(dialed);
    transport.emplace(loop, std::move(*dialed), handler);
    transport->start();
    ASSERT_TRUE(run_until(loop, [&] { return handler.closed.has_value(); }));
    EXPECT_EQ(handler.closed, CloseCause::kConnectFailed);
}

TEST_F(TransportTest, Dial_ToAListener_SpeaksBothWays) {
    auto listening = listen_on("127.0.0.1:0");
    ASSERT_TRUE(listening);
    auto dialed = dial(local_address(listening->get()));
    ASSERT_TRUE(dialed);
    transport.emplace(loop, std::move(*dialed), handler);
    transport->start();
    transport->write("hello");  // before the connect is known to have succeeded
    transport->flush();
    std::jthread server([fd = listening->get()] {
        UniqueFd accepted;
        while (!accepted) accepted = UniqueFd(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
        Peer other(std::move(accepted));
        other.send(other.receive(5) + " yourself");
    });
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "hello yourself"; }));
}

TEST_F(TransportTest, AnotherHandler_IsToldFromThereOn) {
    open();
    RecordingHandler next;
    handler.consume = [&](Transport& from, ByteView /*bytes*/) {
        from.set_handler(next);
        return std::size_t{4};
    };
    transport->start();
    peer->send("old new");
    ASSERT_TRUE(run_until(loop, [&] { return handler.shown.size() == 1; }));
    EXPECT_TRUE(next.shown.empty()) << "what is left waits for more, or for resume_reading()";
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return next.received == "new"; }));
    peer->send(" newer");
    ASSERT_TRUE(run_until(loop, [&] { return next.received == "new newer"; }));
    transport->set_handler(handler);
    handler.consume = nullptr;
    peer->send("back");
    ASSERT_TRUE(run_until(loop, [&] { return handler.received == "old back"; }));
    transport->set_handler(next);
    peer->close();
    ASSERT_TRUE(run_until(loop, [&] { return next.closed.has_value(); }));
    EXPECT_FALSE(handler.closed);
}

TEST_F(TransportTest, Close_InsideTheHandler_EndsWithoutACallback) {
    open();
    handler.consume = [](Transport& from, ByteView bytes) {
        from.close();
        return bytes.size();
    };
    transport->start();
    peer->send("x");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.received.empty(); }));
    EXPECT_FALSE(transport->is_open());
    EXPECT_EQ(peer->receive_all(), "");
    EXPECT_FALSE(handler.closed);
}

TEST_F(TransportTest, Destroyed_WithWorkQueued_IsForgottenByTheLoop) {
    open();
    handler.consume = [](Transport&, ByteView) { return std::size_t{0}; };
    transport->start();
    peer->send("x");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.shown.empty(); }));
    transport->resume_reading();
    transport.reset();
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 3; }));
    EXPECT_EQ(handler.shown.size(), 1U);
}

TEST_F(TransportTest, Destroyed_InTheTurnThatQueuedIt_IsForgottenByTheLoop) {
    open();
    handler.consume = [](Transport&, ByteView) { return std::size_t{0}; };
    handler.when_closed = [this] { loop.defer([this] { transport.reset(); }); };
    transport->start();
    peer->send("x");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.shown.empty(); }));
    // Both are found by the same turn: the task queues the transport, then its socket rings and it ends.
    loop.post([&] { transport->resume_reading(); });
    peer->reset();
    ASSERT_TRUE(run_until(loop, [&] { return !transport.has_value(); }));
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 3; }));
}

TEST_F(TransportTest, CloseInsideTheHandler_LeavesTheShownOctetsReadable) {
    open();
    const std::string line(500, 'a');
    handler.consume = [](Transport&, ByteView) { return std::size_t{0}; };
    transport->start();
    peer->send(line);
    ASSERT_TRUE(run_until(loop, [&] { return !handler.shown.empty(); }));
    std::string seen;
    handler.consume = [&](Transport& from, ByteView bytes) {
        from.close();
        seen = bytes;
        return bytes.size();
    };
    transport->resume_reading();
    ASSERT_TRUE(run_until(loop, [&] { return !seen.empty(); }));
    EXPECT_EQ(seen, line);
}

TEST_F(TransportTest, Destroyed_ByADeferredTaskOfItsOwnCallback_IsSafe) {
    open();
    handler.consume = [this](Transport&, ByteView bytes) {
        loop.defer([this] { transport.reset(); });
        return bytes.size();
    };
    transport->start();
    peer->send("x");
    ASSERT_TRUE(run_until(loop, [&] { return !transport.has_value(); }));
    EXPECT_EQ(peer->receive_all(), "");
}

TEST_F(TransportTest, Finish_WithNothingWaiting_ClosesAtOnce) {
    open();
    transport->start();
    transport->write("221 bye\r\n");
    transport->finish(5s);
    EXPECT_FALSE(transport->is_open());
    EXPECT_EQ(loop.residents(), 0U);
    EXPECT_EQ(peer->receive_all(), "221 bye\r\n");
}

TEST_F(TransportTest, Finish_WithASlowPeer_SendsEverythingAfterTheTransportIsGone) {
    open(tcp_pair(), {.high_water = 1000, .soft_unconsumed = 1000, .hard = 64 * kMegabyte});
    transport->start();
    const std::string body = pattern(16 * kMegabyte);
    transport->write(body);
    ASSERT_GT(transport->unsent(), 0U);
    transport->finish(10s);
    transport.reset();
    EXPECT_EQ(loop.residents(), 1U);
    std::string got;
    std::jthread client([&] {
        got = peer->receive_all();
        peer->close();
    });
    ASSERT_TRUE(run_until(loop, [&] { return loop.residents() == 0; }));
    client.join();
    EXPECT_TRUE(got == body);
}

TEST_F(TransportTest, Finish_WithAStuckPeer_GivesUpAfterTheGrace) {
    open(tcp_pair(), {.high_water = 1000, .soft_unconsumed = 1000, .hard = 64 * kMegabyte});
    transport->start();
    transport->write(pattern(16 * kMegabyte));
    const TimePoint begun = Clock::now();
    transport->finish(100ms);
    ASSERT_TRUE(run_until(loop, [&] { return loop.residents() == 0; }));
    EXPECT_GE(Clock::now() - begun, 100ms);
    EXPECT_LT(Clock::now() - begun, 5s);
}

TEST_F(TransportTest, Finish_WhileThePeerStillSends_DoesNotResetTheLastReply) {
    open();
    handler.consume = [](Transport& to, ByteView bytes) {
        to.pause_reading();
        return bytes.size();
    };
    transport->start();
    peer->send("x");
    ASSERT_TRUE(run_until(loop, [&] { return !handler.received.empty(); }));
    peer->send(pattern(100000));
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    transport->write("554 no\r\n");
    transport->finish(5s);
    std::string got;
    std::jthread client([&] {
        got = peer->receive_all();
        peer->close();
    });
    ASSERT_TRUE(run_until(loop, [&] { return loop.residents() == 0; }));
    client.join();
    EXPECT_EQ(got, "554 no\r\n");
}

TEST_F(TransportTest, Loop_WhenItEndsWithAFarewellLeft_FreesIt) {
    auto own_loop = std::make_unique<EventLoop>();
    auto [ours, theirs] = tcp_pair();
    auto leaving = std::make_unique<Transport>(
        *own_loop, std::move(ours), handler,
        TransportLimits{.high_water = 1, .soft_unconsumed = 1, .hard = 64 * kMegabyte});
    leaving->write(pattern(16 * kMegabyte));
    leaving->finish(60s);
    leaving.reset();
    EXPECT_EQ(own_loop->residents(), 1U);
    own_loop.reset();
}

}  // namespace
}  // namespace gatepost::net::testing

#include "proxy/net/listener.h"

#include <array>
#include <cstddef>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>

#include <gtest/gtest.h>

#include "proxy/net/dialer.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

int option(int fd, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(fd, level, name, &value, &size);
    return value;
}

TEST(Listener, OnAFreePort_SaysWhichOne) {
    const auto listening = listen_on("127.0.0.1:0");
    ASSERT_TRUE(listening);
    const SocketAddress bound = local_address(listening->get());
    EXPECT_EQ(bound.ip_string(), "127.0.0.1");
    EXPECT_GT(bound.port(), 0);
}

TEST(Listener, OnAPortInUse_SaysWhereAndWhy) {
    const auto listening = listen_on("127.0.0.1:0");
    ASSERT_TRUE(listening);
    const std::string taken = local_address(listening->get()).to_string();
    const auto second = listen_on(taken);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "cannot listen on " + taken + ": Address already in use");
    EXPECT_FALSE(listen_on("localhost"));
}

TEST(Listener, OnIpv6_LeavesIpv4ToOthers) {
    const auto v6 = listen_on("[::]:0");
    if (!v6) GTEST_SKIP() << "no IPv6 here: " << v6.error().message;
    EXPECT_EQ(option(v6->get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
    EXPECT_TRUE(listen_on("0.0.0.0:" + std::to_string(local_address(v6->get()).port())));
}

TEST(Listener, OnEveryAddress_TakesBothFamiliesAndIpv4IsIpv4) {
    EventLoop loop;
    std::vector<SocketAddress> peers;
    std::vector<SocketAddress> own;
    auto listening = listen_on("*:0");
    ASSERT_TRUE(listening) << listening.error().message;
    ASSERT_TRUE(takes_both_families(listening->get())) << "no IPv6 here";
    const std::uint16_t port = local_address(listening->get()).port();
    EXPECT_EQ(listening_address(listening->get()), "*:" + std::to_string(port));
    Acceptor acceptor(loop, std::move(*listening), [&](const UniqueFd& socket, const SocketAddress& peer) {
        peers.push_back(peer);
        own.push_back(local_address(socket.get()));
        EXPECT_EQ(peer, peer_address(socket.get()));
    });
    for (const char* const ip : {"127.0.0.1", "::1"}) {
        const auto dialed = dial(*SocketAddress::from_ip(ip, port));
        ASSERT_TRUE(run_until(loop, [&, before = peers.size()] { return peers.size() > before; })) << ip;
        EXPECT_EQ(peers.back().ip_string(), ip);
        EXPECT_EQ(own.back().ip_string(), ip);
    }
    EXPECT_TRUE(Cidr::parse("127.0.0.0/8")->contains(peers.front()));
    for (const char* const host : {"*", "0.0.0.0", "[::]", "127.0.0.1", "[::1]"})
        EXPECT_FALSE(listen_on(host + (":" + std::to_string(port)))) << host;
}

/// As "ipv6.disable=1" on the kernel's command line, for the calling thread.
void forget_ipv6() {
    constexpr auto kWord = [](std::size_t at) { return static_cast<std::uint32_t>(at); };
    std::array<sock_filter, 6> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kWord(offsetof(seccomp_data, nr))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kWord(offsetof(seccomp_data, args))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0), 0);
}

TEST(Listener, OnEveryAddressWithoutIpv6_TakesThoseOfIpv4) {
    std::thread([] {
        forget_ipv6();
        EXPECT_FALSE(listen_on("[::]:0"));
        const auto listening = listen_on("*:0");
        ASSERT_TRUE(listening) << listening.error().message;
        EXPECT_FALSE(takes_both_families(listening->get()));
        const SocketAddress bound = local_address(listening->get());
        EXPECT_EQ(listening_address(listening->get()), "0.0.0.0:" + std::to_string(bound.port()));
    }).join();
}

TEST(Listener, OnEveryAddress_NeedsAPort) {
    EXPECT_EQ(port_of_every_address("*:587"), 587);
    for (const char* const text : {"", "*", "*:", "*:x", "*:65536", "**:587", "[*]:587", "0.0.0.0:587"}) {
        EXPECT_FALSE(port_of_every_address(text)) << text;
        EXPECT_TRUE(std::string(text) == "0.0.0.0:587" || !listen_on(text)) << text;
    }
}

TEST(Listener, OnAUnixSocket_ReplacesOnlyAStaleOne) {
    const TemporaryFolder folder;
    const std::string name = "unix:" + folder.path("socket");
    auto first = listen_on(name);
    ASSERT_TRUE(first);
    EXPECT_FALSE(listen_on(name)) << "somebody answers there";
    first->reset();
    auto second = listen_on(name);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_TRUE(dial(*SocketAddress::parse(name)));
    folder.write("file", "precious");
    EXPECT_FALSE(listen_on("unix:" + folder.path("file")));
}

TEST(Acceptor, GivesNonBlockingSocketsWithNoDelayAndThePeersAddress) {
    EventLoop loop;
    std::vector<UniqueFd> accepted;
    std::vector<SocketAddress> peers;
    Acceptor acceptor(loop, *listen_on("127.0.0.1:0"), [&](UniqueFd socket, const SocketAddress& peer) {
        accepted.push_back(std::move(socket));
        peers.push_back(peer);
    });
    std::vector<UniqueFd> dialed;
    for (int count = 0; count < 20; ++count) dialed.push_back(*dial(acceptor.address()));
    ASSERT_TRUE(run_until(loop, [&] { return accepted.size() == dialed.size(); }));
    for (std::size_t at = 0; at < accepted.size(); ++at) {
        EXPECT_EQ(peers[at], peer_address(accepted[at].get()));
        EXPECT_NE(::fcntl(accepted[at].get(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(accepted[at].get(), F_GETFD) & FD_CLOEXEC, 0);
        EXPECT_EQ(option(accepted[at].get(), IPPROTO_TCP, TCP_NODELAY), 1);
        EXPECT_EQ(option(dialed[at].get(), IPPROTO_TCP, TCP_NODELAY), 1);
    }
}

TEST(Acceptor, Paused_LeavesClientsInTheQueue) {
    EventLoop loop;
    int accepted = 0;
    Acceptor acceptor(loop, *listen_on("127.0.0.1:0"), [&](UniqueFd, const SocketAddress&) { ++accepted; });
    acceptor.pause();
    const auto dialed = dial(acceptor.address());
    int turns = 0;
    ASSERT_TRUE(run_until(loop, [&] { return ++turns > 20; }));
    EXPECT_EQ(accepted, 0);
    acceptor.resume();
    ASSERT_TRUE(run_until(loop, [&] { return accepted == 1; }));
}

TEST(Acceptor, OutOfDescriptors_RestsInsteadOfSpinningAndRecovers) {
    EventLoop loop;
    int accepted = 0;
    Acceptor acceptor(loop, *listen_on("127.0.0.1:0"), [&](UniqueFd, const SocketAddress&) { ++accepted; });
    const auto dialed = dial(acceptor.address());
    ASSERT_TRUE(dialed);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    // The lowest free descriptor is above the limit: the next accept4() fails
    // with EMFILE.
    const UniqueFd lowest(::dup(0));
    const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest.get()), .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    int rounds = 0;
    const TimePoint begun = Clock::now();
    EXPECT_TRUE(run_until(loop, [&] {
        if (++rounds == 30) ::setrlimit(RLIMIT_NOFILE, &before);
        return accepted == 1;
    }));
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(accepted, 1);
    EXPECT_GE(Clock::now() - begun, Acceptor::kRest / 2);
}

TEST(Dialer, ToAFamilyThatIsNone_Fails) {
    const auto dialed = dial(SocketAddress());
    ASSERT_FALSE(dialed);
    EXPECT_EQ(dialed.error(), EAFNOSUPPORT);
}

TEST(Dialer, WithASource_LeavesFromThere) {
    const auto listening = listen_on("127.0.0.1:0");
    ASSERT_TRUE(listening);
    const auto dialed = dial(local_address(listening->get()), SocketAddress::from_ip("127.0.0.2", 0));
    ASSERT_TRUE(dialed) << dialed.error();
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const UniqueFd accepted(::accept(listening->get(), reinterpret_cast<sockaddr*>(&peer), &size));
    ASSERT_TRUE(accepted);
    EXPECT_EQ(SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&peer), size).ip_string(),
              "127.0.0.2");
    EXPECT_EQ(option(dialed->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
}

TEST(Dialer, WithASourceOfTheOtherFamily_Fails) {
    const auto source = SocketAddress::from_ip("::1", 0);
    EXPECT_EQ(dial(*SocketAddress::parse("127.0.0.1:25"), source).error(), EAFNOSUPPORT);
    EXPECT_EQ(dial(*SocketAddress::parse("[::1]:25"), SocketAddress::from_ip("127.0.0.1", 0)).error(),
              EAFNOSUPPORT);
}

TEST(Dialer, WithASourceThatIsNotOurs_Fails) {
    const auto dialed = dial(*SocketAddress::parse("127.0.0.1:25"), SocketAddress::from_ip("192.0.2.1", 0));
    ASSERT_FALSE(dialed);
    EXPECT_EQ(dialed.error(), EADDRNOTAVAIL);
}

TEST(Dialer, UnixSockets_HaveNoSource) {
    const TemporaryFolder folder;
    const std::string name = "unix:" + folder.path("socket");
    const auto listening = listen_on(name);
    ASSERT_TRUE(listening);
    EXPECT_TRUE(dial(*SocketAddress::parse(name), SocketAddress::from_ip("127.0.0.2", 0)));
}

TEST(Dialer, ToAnAbsentUnixSocket_FailsAtOnce) {
    const TemporaryFolder folder;
    const auto dialed = dial(*SocketAddress::parse("unix:" + folder.path("absent")));
    ASSERT_FALSE(dialed);
    EXPECT_EQ(dialed.error(), ENOENT);
}

}  // namespace
}  // namespace gatepost::net::testing

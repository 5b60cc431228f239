#include "proxy/net/resolver.h"

#include <algorithm>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "proxy/net/event_loop.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

class ResolverTest : public ::testing::Test {
  protected:
    Resolution resolve(const std::string& name) {
        std::optional<Resolution> answered;
        resolver.resolve(name, loop, [&](Resolution found) {
            loop.assert_here();
            answered = std::move(found);
        });
        EXPECT_FALSE(answered) << "answered inside the call";
        EXPECT_TRUE(run_until(loop, [&] { return answered.has_value(); }));
        return std::move(*answered);
    }

    EventLoop loop;
    BackgroundThread background;
    Resolver resolver{background};
};

TEST_F(ResolverTest, NumericAndUnix_NeedNoBackgroundThread) {
    std::promise<void> release;
    background.post([held = release.get_future().share()] { held.wait(); });
    EXPECT_EQ(resolve("192.0.2.1:25")->addresses.front().to_string(), "192.0.2.1:25");
    EXPECT_EQ(resolve("[2001:db8::1]:25")->addresses.front().to_string(), "[2001:db8::1]:25");
    EXPECT_EQ(resolve("unix:/run/lmtp")->addresses.front().to_string(), "unix:/run/lmtp");
    release.set_value();
}

TEST_F(ResolverTest, Localhost_IsFoundWithItsPort) {
    const auto found = resolve("localhost:2525");
    ASSERT_TRUE(found) << found.error().message;
    for (const SocketAddress& address : found->addresses) EXPECT_EQ(address.port(), 2525);
    EXPECT_NE(std::ranges::find(found->addresses, *SocketAddress::parse("127.0.0.1:2525")),
              found->addresses.end());
}

TEST_F(ResolverTest, NameThatCannotBe_IsAnErrorThatNamesIt) {
    const std::string name = std::string(64, 'x') + ".invalid";  // too long a label to ask the DNS for
    const auto found = resolve(name + ":25");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message, "cannot resolve " + name + ": no such name");
    EXPECT_EQ(found.error().failure, ResolveFailure::kNoSuchName);
}

TEST_F(ResolverTest, NoEndpoint_IsAnError) {
    EXPECT_EQ(resolve("example.org").error().message,
              "\"example.org\" is not host:port, [IPv6]:port or unix:/path");
}

TEST_F(ResolverTest, Numbers_HoldForEverAndFilesForAWhile) {
    EXPECT_EQ(resolve("192.0.2.1:25")->ttl, Duration::max());
    EXPECT_EQ(resolve("unix:/run/lmtp")->ttl, Duration::max());
    EXPECT_EQ(resolve("localhost:25")->ttl, std::chrono::seconds(10));
}

TEST(Resolved, HoweverTheDnsTurnsThem_AreInOneOrder) {
    Addresses addresses;
    for (const std::string_view text :
         {"192.0.2.2:25", "[2001:db8::2]:25", "10.0.0.9:25", "[2001:db8::1]:25", "192.0.2.2:25"})
        addresses.push_back(*SocketAddress::parse(text));
    const Resolved first = in_order(addresses, {});
    std::string text;
    for (const SocketAddress& address : first.addresses) text += address.to_string() + " ";
    EXPECT_EQ(text, "[2001:db8::1]:25 [2001:db8::2]:25 10.0.0.9:25 192.0.2.2:25 ");
    for (std::size_t turn = 0; turn < addresses.size(); ++turn) {
        std::ranges::rotate(addresses, addresses.begin() + 1);
        EXPECT_EQ(in_order(addresses, {}).addresses, first.addresses);
    }
    EXPECT_FALSE(first.is_cut);
}

TEST(Resolved, OfTooManyAddresses_IsCutAlwaysAtTheSame) {
    Addresses addresses;
    for (std::size_t number = 0; number < 1000; ++number)
        addresses.push_back(*SocketAddress::from_ip(
            "10.0." + std::to_string(number / 250) + "." + std::to_string(number % 250), 25));
    const Resolved first = in_order(addresses, {});
    EXPECT_EQ(first.addresses.size(), kMostAddresses);
    EXPECT_TRUE(first.is_cut);
    std::ranges::reverse(addresses);
    EXPECT_EQ(in_order(addresses, {}).addresses, first.addresses);
}

TEST(Ttl, IsClampedButNeverStaysNever) {
    using std::chrono::seconds;
    EXPECT_EQ(clamp_ttl(seconds(0)), seconds(1));
    EXPECT_EQ(clamp_ttl(seconds(30)), seconds(30));
    EXPECT_EQ(clamp_ttl(seconds(86400)), seconds(300));
    EXPECT_EQ(clamp_ttl(Duration::max()), Duration::max());
}

TEST(Endpoint, Parse_TakesHostAndPortApart) {
    EXPECT_EQ(parse_endpoint("mail.example.org:25")->host, "mail.example.org");
    EXPECT_EQ(parse_endpoint("mail.example.org:25")->port, 25);
    EXPECT_EQ(parse_endpoint("[::1]:25")->host, "[::1]");
    for (const std::string_view text :
         {"", ":25", "host", "host:", "host:0", "host:65536", "host:x", "::1:25", "[::1:25", "a b:25",
          "host/x:25", "unix:", "smtp://host:25"}) {
        EXPECT_FALSE(parse_endpoint(text)) << text;
    }
}

TEST(BackgroundThread, AtItsEnd_FinishesTheRunningTaskAndDropsTheOthers) {
    std::atomic<int> ran = 0;
    std::atomic<bool> is_running = false;
    {
        BackgroundThread background;
        background.post([&] {
            is_running = true;
            is_running.notify_one();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            ++ran;
        });
        is_running.wait(false);
        for (int count = 0; count < 10; ++count) background.post([&] { ++ran; });
    }
    EXPECT_EQ(ran, 1);
}

TEST(BackgroundThread, WhenStopped_RunsNothingMoreAndMayStillBeAsked) {
    std::atomic<int> ran = 0;
    BackgroundThread background;
    background.stop();
    background.post([&] { ++ran; });
    background.stop();
    EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace gatepost::net::testing

#include "proxy/upstream/prober.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/listener.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// An SMTP server of a few lines: greets, answers EHLO and HELO as told, remembers what it was sent.
class FakeMta : public net::TransportHandler {
  public:
    explicit FakeMta(net::EventLoop& loop)
        : acceptor_(loop, std::move(*net::listen_on("127.0.0.1:0")),
                    [this, &loop](net::UniqueFd socket, const auto&) {
                        clients_.push_back(std::make_unique<net::Transport>(loop, std::move(socket), *this));
                        clients_.back()->start();
                        clients_.back()->write(greeting);
                        clients_.back()->flush();
                    }) {}

    [[nodiscard]] std::string address() const { return acceptor_.address().to_string(); }

    std::string greeting = "220 mta\r\n";
    std::string ehlo_reply = "250-mta\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n";
    std::string helo_reply = "250 mta\r\n";
    std::vector<std::string> heard;

  private:
    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override {
        heard.emplace_back(bytes);
        if (bytes.starts_with("EHLO")) transport.write(ehlo_reply);
        if (bytes.starts_with("HELO")) transport.write(helo_reply);
        return bytes.size();
    }
    void on_tls_established(net::Transport& /*transport*/) override {}
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause /*cause*/) override {}

    net::Acceptor acceptor_;
    std::vector<std::unique_ptr<net::Transport>> clients_;
};

/// Gives one answer after the other; the last one for ever.
class FakeResolver final : public net::Resolver {
  public:
    using Resolver::Resolver;
    void resolve(std::string /*host_and_port*/, Executor& home, Answer answer) override {
        const net::Resolution found = answers.front();
        if (answers.size() > 1) answers.erase(answers.begin());
        home.post([answer = std::move(answer), found]() mutable { answer(found); });
    }
    std::vector<net::Resolution> answers;
};

class ProberTest : public ::testing::Test, public ProbeObserver {
  protected:
    /// Probes until `count` probes have ended.
    void probe(const std::string& server, std::size_t count) {
        until_ = count;
        Prober prober(loop_, *resolver_,
                      {.servers = {{server}},
                       .our_name = "gw.test",
                       .interval = 5ms,
                       .timeout = 300ms,
                       .rise = 2,
                       .fall = 3},
                      *this);
        net::Timer give_up(loop_, [this] { loop_.stop(); });
        give_up.start(5s);
        loop_.run();
        EXPECT_GE(outcomes_.size(), count) << "gave up waiting";
        last_ = prober.snapshot();
    }

    void probed(std::size_t /*server*/, bool good, std::string_view what) override {
        outcomes_.push_back(good ? "good" : std::string(what));
        if (outcomes_.size() >= until_) loop_.stop();
    }
    void health_changed(std::size_t /*server*/, bool healthy, std::string_view /*what*/) override {
        changes_.push_back(healthy);
    }
    void snapshot_changed(std::shared_ptr<const Snapshot> /*snapshot*/) override { ++snapshots_; }

    net::EventLoop loop_;
    net::BackgroundThread background_;
    net::Resolver real_resolver_{background_};
    net::Resolver* resolver_ = &real_resolver_;
    std::vector<std::string> outcomes_;
    std::vector<bool> changes_;
    std::shared_ptr<const Snapshot> last_;
    std::size_t until_ = 1;
    int snapshots_ = 0;
};

TEST_F(ProberTest, LearnsCapabilitiesAndSaysQuit) {
    FakeMta mta(loop_);
    probe(mta.address(), 2);
    EXPECT_THAT(outcomes_, ElementsAre("good", "good"));
    EXPECT_THAT(changes_, ElementsAre(true));
    EXPECT_EQ(snapshots_, 1) << "the second probe found nothing new";
    EXPECT_TRUE(last_->servers.front().is_healthy);
    EXPECT_TRUE(last_->offer().eight_bit_mime);
    EXPECT_EQ(last_->offer().size_limit, 1000U);
    EXPECT_THAT(mta.heard,
                ::testing::IsSupersetOf({std::string("EHLO gw.test\r\n"), std::string("QUIT\r\n")}));
}

TEST_F(ProberTest, HeloOnlyServerIsHealthy) {
    FakeMta mta(loop_);
    mta.ehlo_reply = "502 what?\r\n";
    probe(mta.address(), 1);
    EXPECT_THAT(outcomes_, ElementsAre("good"));
    EXPECT_FALSE(last_->servers.front().capabilities.esmtp);
}

TEST_F(ProberTest, RefusalsAndNonsenseAreBad) {
    for (const std::string greeting : {"554 go away\r\n", "421 not now\r\n", "hello\r\n"}) {
        FakeMta mta(loop_);
        mta.greeting = greeting;
        outcomes_.clear();
        probe(mta.address(), 1);
        EXPECT_NE(outcomes_.front(), "good") << greeting;
        EXPECT_FALSE(last_->has_healthy());
    }
}

TEST_F(ProberTest, SilenceEndsWithTheTimeout) {
    FakeMta mta(loop_);
    mta.greeting = "";
    probe(mta.address(), 1);
    EXPECT_THAT(outcomes_, ElementsAre("no answer in time"));
}

TEST_F(ProberTest, ClosedPortIsBad) {
    std::string address;
    {
        FakeMta gone(loop_);
        address = gone.address();
    }
    probe(address, 1);
    EXPECT_THAT(outcomes_.front(), HasSubstr("connection failed"));
}

TEST_F(ProberTest, NameThatDoesNotResolveIsBad) {
    probe("no-such-host.invalid:25", 1);
    EXPECT_NE(outcomes_.front(), "good");
    EXPECT_FALSE(last_->has_healthy());
}

TEST_F(ProberTest, WhenANameNoLongerResolves_ItsLastAddressesStillCount) {
    FakeMta mta(loop_);
    FakeResolver resolver(background_);
    resolver.answers = {net::Resolved{.addresses = {*net::SocketAddress::parse(mta.address())}},
                        std::unexpected(net::ResolveError{.message = "no DNS today"})};
    resolver_ = &resolver;
    probe("mta.test:25", 3);
    EXPECT_THAT(outcomes_, ElementsAre("good", "good", "good"));
}

TEST_F(ProberTest, WhenTheFirstAddressSaysNothing_TheNextIsAskedInTime) {
    FakeMta silent(loop_);
    silent.greeting = "";
    FakeMta mta(loop_);
    FakeResolver resolver(background_);
    resolver.answers = {net::Resolved{.addresses = {*net::SocketAddress::parse(silent.address()),
                                                    *net::SocketAddress::parse(mta.address())}}};
    resolver_ = &resolver;
    probe("mta.test:25", 2);
    EXPECT_THAT(outcomes_, ElementsAre("good", "good"));
}

}  // namespace
}  // namespace gatepost::upstream

// What one probe is and finds out, and what sessions find out. Which addresses are probed is in
// prober_names_test.cpp.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/upstream/prober_fixture.h"

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using namespace std::chrono_literals;
using test::FakeMta;
using ProberTest = test::ProberTest;

TEST_F(ProberTest, LearnsCapabilitiesAndSaysQuit) {
    FakeMta mta(loop_);
    probe(mta.address().to_string(), 2);
    EXPECT_THAT(outcomes_, ElementsAre("0 good", "0 good"));
    EXPECT_THAT(changes_, ElementsAre("0 " + mta.address().to_string() + " up"));
    EXPECT_EQ(snapshots_, 1) << "the second probe found nothing new";
    EXPECT_TRUE(prober_->snapshot()->servers.front().is_healthy);
    EXPECT_TRUE(prober_->snapshot()->offer().eight_bit_mime);
    EXPECT_EQ(prober_->snapshot()->offer().size_limit, 1000U);
    EXPECT_THAT(mta.heard, IsSupersetOf({std::string("EHLO gw.test"), std::string("QUIT")}));
}

TEST_F(ProberTest, NewCapabilitiesAreANewSnapshot) {
    FakeMta mta(loop_);
    probe(mta.address().to_string(), 1);
    mta.answers["EHLO"] = "250-mta\r\n250 DSN\r\n";
    EXPECT_TRUE(run_until([&] { return snapshots_ == 2; }));
    EXPECT_TRUE(prober_->snapshot()->offer().dsn);
    EXPECT_FALSE(prober_->snapshot()->offer().eight_bit_mime);
}

TEST_F(ProberTest, HeloOnlyServerIsHealthy) {
    FakeMta mta(loop_);
    mta.answers["EHLO"] = "502 what?\r\n";
    mta.answers["HELO"] = "250 mta\r\n";
    probe(mta.address().to_string(), 1);
    EXPECT_THAT(outcomes_, ElementsAre("0 good"));
    EXPECT_FALSE(prober_->snapshot()->servers.front().capabilities.esmtp);
}

TEST_F(ProberTest, RefusalsAndNonsenseAreBad) {
    for (const std::string greeting : {"554 go away\r\n", "421 not now\r\n", "hello\r\n"}) {
        FakeMta mta(loop_);
        mta.answers[""] = greeting;
        probe(mta.address().to_string(), 1);
        EXPECT_NE(outcomes_.front(), "0 good") << greeting;
        EXPECT_FALSE(prober_->snapshot()->has_healthy());
        prober_.reset();
    }
}

TEST_F(ProberTest, SilenceEndsWithTheTimeout) {
    FakeMta mta(loop_);
    mta.answers[""] = "";
    settings_.timeout = 50ms;
    probe(mta.address().to_string(), 1);
    EXPECT_THAT(outcomes_, ElementsAre("0 no answer in time"));
    prober_.reset();
}

TEST_F(ProberTest, ClosedPortIsBad) {
    FakeMta mta(loop_);
    mta.shut();
    probe(mta.address().to_string(), 1);
    EXPECT_THAT(outcomes_.front(), "0 connection failed");
    EXPECT_THAT(changes_, ElementsAre("0 " + mta.address().to_string() + " down, connection failed"));
}

TEST_F(ProberTest, DestroyedInTheMiddleOfAProbe) {
    FakeMta mta(loop_);
    mta.answers["EHLO"] = "";
    start({mta.address().to_string()});
    EXPECT_TRUE(run_until([&] { return !mta.heard.empty(); }));
    prober_.reset();
    EXPECT_TRUE(run_until([&] { return mta.open() == 0; }));
    EXPECT_TRUE(outcomes_.empty());
}

TEST_F(ProberTest, TheHeaderOfAProbeNamesNobody) {
    FakeMta mta(loop_);
    settings_.identity = Identity::kProxyV2;
    probe(mta.address().to_string(), 1);
    ASSERT_GE(mta.heard.size(), 2U);
    EXPECT_EQ(mta.heard[0], "PROXY v2 LOCAL");
    EXPECT_EQ(mta.heard[1], "EHLO gw.test");
    EXPECT_EQ(outcomes_.front(), "0 good");
}

TEST_F(ProberTest, AProbeNeverIntroducesAnybody) {
    FakeMta mta(loop_);
    settings_.identity = Identity::kXclientLogin;
    settings_.opener.opening.xclient = smtp::OpeningSettings::Xclient::kLogin;
    probe(mta.address().to_string(), 2);
    EXPECT_EQ(std::ranges::count_if(mta.heard, [](const auto& line) { return line.starts_with("XCLIENT"); }),
              0);
    mta.answers["EHLO"] = "250-mta\r\n250 XCLIENT ADDR\r\n";
    EXPECT_TRUE(run_until([&] { return outcomes_.back() == "0 XCLIENT with LOGIN is not announced"; }));
}

class EjectionTest : public ProberTest {
  protected:
    void SetUp() override {
        settings_.interval = 1h;
        start({one_.address().to_string(), other_.address().to_string()});
        ASSERT_TRUE(await_healthy(2));
        changes_.clear();
    }
    void serve(const FakeMta& mta, std::size_t endpoint, bool good, int times = 1) {
        for (int i = 0; i < times; ++i) prober_->served(endpoint, mta.address(), good);
    }

    FakeMta one_{loop_};
    FakeMta other_{loop_};
};

TEST_F(EjectionTest, AServerThatFailsSessionsIsEjected) {
    serve(one_, 0, false, 2);
    serve(one_, 0, true);
    serve(one_, 0, false, 2);
    EXPECT_EQ(healthy(), 2U);
    const auto before = prober_->snapshot();
    serve(one_, 0, false);
    EXPECT_EQ(healthy(), 1U);
    EXPECT_TRUE(before->servers.front().is_healthy) << "a snapshot is as it is";
    EXPECT_FALSE(prober_->snapshot()->servers.front().is_healthy);
    EXPECT_THAT(changes_, ElementsAre("0 " + one_.address().to_string() +
                                      " down, sessions failed, one after the other"));
}

TEST_F(EjectionTest, TheLastOneThatIsWellStays) {
    serve(one_, 0, false, 3);
    serve(other_, 1, false, 5);
    EXPECT_EQ(healthy(), 1U);
    EXPECT_TRUE(prober_->snapshot()->servers.back().is_healthy);
}

TEST_F(EjectionTest, OfAServerThatIsNotThereNothingIsLearned) {
    serve(one_, 1, false, 5);
    serve(one_, 7, false, 5);
    EXPECT_EQ(healthy(), 2U);
}

TEST_F(ProberTest, GoodProbesEndAnEjection) {
    FakeMta one(loop_);
    FakeMta other(loop_);
    settings_.interval = 40ms;
    start({one.address().to_string(), other.address().to_string()});
    ASSERT_TRUE(await_healthy(2));
    for (int i = 0; i < 3; ++i) prober_->served(0, one.address(), false);
    EXPECT_EQ(healthy(), 1U);
    const std::size_t probes = one.heard_of("EHLO gw.test");
    EXPECT_TRUE(await_healthy(2));
    EXPECT_EQ(one.heard_of("EHLO gw.test") - probes, settings_.rise);
    prober_.reset();
}

}  // namespace
}  // namespace gatepost::upstream

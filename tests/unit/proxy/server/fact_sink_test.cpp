#include "proxy/server/fact_sink.h"

#include <array>
#include <cstdio>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FactSinkTest : public ::testing::Test {
  protected:
    FactSinkTest() { context_.id = "s-1"; }
    ~FactSinkTest() override { std::fclose(file_); }

    void take(const session::Fact& fact) { sink_->take(context_, "alice", TimePoint(), fact); }

    /// Everything logged; ends the log.
    std::string log() {
        sink_.reset();
        log_.reset();
        std::string text;
        std::array<char, 4096> buffer{};
        std::rewind(file_);
        while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file_))
            text.append(buffer.data(), got);
        return text;
    }
    std::string metrics() const { return registry_.scrape(); }

    std::FILE* file_ = std::tmpfile();
    std::unique_ptr<observe::LogSink> log_ =
        std::make_unique<observe::LogSink>(conf::LogLevel::Debug, ::fileno(file_));
    observe::MetricsRegistry registry_{{.listeners = {"submission"},
                                        .mechanisms = {"PLAIN", "LOGIN"},
                                        .backends = {"local"},
                                        .upstreams = {"default"},
                                        .endpoints = {{observe::UpstreamIndex{0}, "mta:25"}},
                                        .certificates = {},
                                        .version = "1",
                                        .revision = "r",
                                        .tls_library = "t"}};
    observe::WorkerMetrics& worker_ = registry_.add_worker();
    std::unique_ptr<FactSink> sink_ = std::make_unique<FactSink>(*log_, registry_, worker_);
    SessionContext context_;
};

TEST_F(FactSinkTest, CancelledMalformedRefusedFailedAndUnavailableAreDifferentEvents) {
    using session::AuthEnd;
    for (const AuthEnd end : {AuthEnd::kCancelled, AuthEnd::kMalformed, AuthEnd::kNotOffered,
                              AuthEnd::kRefusedCredentials, AuthEnd::kUnavailable, AuthEnd::kSucceeded}) {
        take(session::AuthEnded{.end = end,
                                .reason = auth::Reason::kWrongPassword,
                                .mechanism = "PLAIN",
                                .user = "bob",
                                .backend = "local"});
    }
    EXPECT_THAT(metrics(),
                HasSubstr("gatepost_auth_attempts_total{listener=\"submission\",mechanism=\"PLAIN\","
                          "backend=\"local\",result=\"aborted\"} 1"));
    EXPECT_THAT(metrics(), HasSubstr("result=\"invalid_credentials\"} 1"));
    const std::string text = log();
    for (const char* event :
         {"auth_cancelled", "auth_malformed", "auth_refused", "auth_failed", "auth_unavailable"}) {
        EXPECT_THAT(text, HasSubstr(event));
    }
}

TEST_F(FactSinkTest, AGuessThatIsRefusedOrDelayedHasAnEventAndACountOfItsOwn) {
    take(session::GuessRefused{.rule = policy::GuessingRule::kUserAndNetwork,
                               .retry_after = std::chrono::seconds(30),
                               .mechanism = "LOGIN",
                               .user = "bob"});
    take(session::AuthEnded{.end = session::AuthEnd::kBlocked,
                            .reason = auth::Reason::kNone,
                            .mechanism = "LOGIN",
                            .user = "bob",
                            .backend = ""});
    take(session::GuessDelayed{
        .delay = std::chrono::milliseconds(250), .mechanism = "PLAIN", .user = "carol"});
    EXPECT_THAT(metrics(), HasSubstr("gatepost_auth_blocked_attempts_total{scope=\"user_and_network\"} 1"));
    EXPECT_THAT(metrics(), HasSubstr("gatepost_auth_blocked_attempts_total{scope=\"ip\"} 0"));
    EXPECT_THAT(metrics(), HasSubstr("gatepost_auth_delayed_attempts_total 1"));
    EXPECT_THAT(metrics(), HasSubstr("backend=\"none\",result=\"blocked\"} 1"));
    const std::string text = log();
    EXPECT_THAT(text, HasSubstr("user=bob mechanism=LOGIN reason=per_user_and_network retry_after=30"));
    EXPECT_THAT(text, HasSubstr("user=carol mechanism=PLAIN duration=0.25"));
    EXPECT_THAT(text, Not(HasSubstr("auth_failed")));
}

TEST_F(FactSinkTest, MessageLineSaysWhoseAnswerItIs) {
    take(session::MessageBegun{});
    take(session::MessageEnded{.result = session::Result::kTransient,
                               .origin = session::Origin::kUpstream,
                               .sender = "a@b\r\nforged",
                               .recipients = 2,
                               .recipients_refused = 1,
                               .size = 10,
                               .code = 452,
                               .reply = "full",
                               .client_gone = false});
    EXPECT_THAT(metrics(), HasSubstr("gatepost_messages_total{listener=\"submission\",upstream=\"default\","
                                     "result=\"tempfail\",origin=\"upstream\"} 1"));
    const std::string text = log();
    EXPECT_THAT(text, HasSubstr("result=tempfail origin=upstream code=452"));
    EXPECT_THAT(text, HasSubstr("\\x0d\\x0aforged"));
    EXPECT_THAT(text, Not(HasSubstr("client gone")));
}

TEST_F(FactSinkTest, EverySessionIsOneLineAndOneClose) {
    sink_->opened(context_);
    sink_->closed(context_, TimePoint(),
                  {.reason = conf::CloseReason::kDataTimeout, .greeting_name = "h", .identity = {}});
    EXPECT_THAT(metrics(), HasSubstr("gatepost_connections_active{listener=\"submission\"} 0"));
    EXPECT_THAT(
        metrics(),
        HasSubstr("gatepost_connections_closed_total{listener=\"submission\",reason=\"data_timeout\"} 1"));
    EXPECT_THAT(log(), HasSubstr("reason=data_timeout"));
}

}  // namespace
}  // namespace gatepost::server

#include "proxy/server/fact_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/server/labels.h"
#include "tests/fakes/logged.h"

namespace gatepost::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

session::MessageEnded ended(session::Result result, session::Origin origin, std::size_t recipients,
                            std::uint64_t size) {
    session::MessageEnded fact;
    fact.result = result;
    fact.origin = origin;
    fact.recipients = recipients;
    fact.size = size;
    return fact;
}

class FactSinkTest : public ::testing::Test {
  protected:
    FactSinkTest() { context_.id = "s-1"; }

    void take(const session::Fact& fact) { sink_->take(context_, "alice", now_, fact); }
    void take_at(Duration when, const session::Fact& fact) {
        now_ = TimePoint(std::chrono::hours(1)) + when;
        take(fact);
    }
    void expect(const std::string& line) { EXPECT_THAT(metrics(), HasSubstr("gatepost_" + line + '\n')); }

    /// Everything logged; ends the log.
    std::string log() {
        sink_.reset();
        return log_.text();
    }
    std::string metrics() const { return registry_.scrape(); }

    test::Logged log_;
    observe::MetricsRegistry registry_{{.listeners = {"submission"},
                                        .mechanisms = {"PLAIN", "LOGIN"},
                                        .backends = {"local"},
                                        .upstreams = {"default"},
                                        .endpoints = {{observe::UpstreamIndex{0}, "mta:25"}},
                                        .certificates = {},
                                        .limits = {"user-messages", "all"},
                                        .version = "1",
                                        .revision = "r",
                                        .tls_library = "t"}};
    observe::WorkerMetrics& worker_ = registry_.add_worker();
    std::unique_ptr<FactSink> sink_ = std::make_unique<FactSink>(log_.sink(), registry_, worker_);
    SessionContext context_;
    TimePoint now_;
};

TEST_F(FactSinkTest, ACommandTakesFromItsLastOctetToItsReply) {
    using std::chrono::seconds;
    take_at(seconds(10), session::CommandTaken{});
    take_at(seconds(11), session::CommandTaken{.is_first = false});
    take_at(seconds(14), session::CommandAnswered{smtp::Verb::kMail, 250});
    take_at(seconds(14), session::CommandAnswered{smtp::Verb::kRcpt, 250});
    take_at(seconds(20), session::CommandTaken{});
    take_at(seconds(21), session::CommandAnswered{smtp::Verb::kData, 354});
    take_at(seconds(80), session::CommandCompleted{});
    take_at(seconds(82), session::CommandAnswered{smtp::Verb::kData, 250});
    expect("smtp_command_duration_seconds_sum{verb=\"MAIL\"} 4");
    expect("smtp_command_duration_seconds_sum{verb=\"RCPT\"} 3");
    expect("smtp_command_duration_seconds_count{verb=\"DATA\"} 2");
    expect("smtp_command_duration_seconds_sum{verb=\"DATA\"} 3");
    take_at(seconds(90), session::CommandAnswered{smtp::Verb::kUnknown, 500});
    expect("smtp_command_duration_seconds_count{verb=\"OTHER\"} 0");
}

TEST_F(FactSinkTest, AnUpstreamTakesFromACommandToItsReply_AndANewConnectionOwesNothing) {
    using smtp::Awaited;
    using std::chrono::seconds;
    take_at(seconds(1), session::UpstreamAsked{Awaited::kMail});
    take_at(seconds(2), session::UpstreamReplaced{});
    take_at(seconds(3), session::UpstreamOpeningEnded{});
    take_at(seconds(4), session::UpstreamAsked{Awaited::kMail});
    take_at(seconds(6), session::UpstreamReplied{Awaited::kMail, 250});
    take_at(seconds(7), session::UpstreamAsked{Awaited::kLastChunk});
    take_at(seconds(10), session::UpstreamReplied{Awaited::kLastChunk, 250});
    take_at(seconds(11), session::UpstreamAsked{Awaited::kRcpt});
    take_at(seconds(12), session::UpstreamReplied{});
    expect("upstream_reply_duration_seconds_sum{upstream=\"default\",verb=\"MAIL\"} 2");
    expect("upstream_reply_duration_seconds_sum{upstream=\"default\",verb=\"BDAT\"} 3");
    expect("upstream_reply_duration_seconds_count{upstream=\"default\",verb=\"RCPT\"} 0");
}

TEST_F(FactSinkTest, AnAcceptedMessageHasRecipientsSizeAndOverhead) {
    take(session::MessageBegun{});
    take(ended(session::Result::kAccepted, session::Origin::kUpstream, 3, 700));
    take(session::MessageBegun{});
    take(ended(session::Result::kPermanent, session::Origin::kUpstream, 9, 50));
    expect("message_bytes_total{upstream=\"default\",result=\"accepted\"} 700");
    expect("message_bytes_total{upstream=\"default\",result=\"permfail\"} 50");
    expect("message_recipients_sum{upstream=\"default\"} 3");
    expect("message_overhead_seconds_count{upstream=\"default\"} 1");
}

TEST(TlsFailureLabels, TellWhoRefusedWhom) {
    const auto client = [](const char* why) { return tls_failure_label(net::CloseCause::kTlsFailed, why); };
    EXPECT_EQ(client("peer did not return a certificate"), conf::TlsFailure::kClientCert);
    EXPECT_EQ(client("certificate has expired"), conf::TlsFailure::kClientCert);
    EXPECT_EQ(client("tlsv1 alert unknown ca"), conf::TlsFailure::kRejected);
    EXPECT_EQ(client("sslv3 alert bad certificate"), conf::TlsFailure::kRejected);
    EXPECT_EQ(client("no shared cipher"), conf::TlsFailure::kNoSharedCipher);
    EXPECT_EQ(upstream_tls_failure_label("STARTTLS is required, and not to be had"),
              conf::UpstreamTlsFailure::kNotOffered);
    EXPECT_EQ(upstream_tls_failure_label("TLS failed: self-signed certificate"),
              conf::UpstreamTlsFailure::kCertificate);
    EXPECT_EQ(upstream_tls_failure_label("TLS failed: hostname mismatch"),
              conf::UpstreamTlsFailure::kCertificate);
    EXPECT_EQ(upstream_tls_failure_label("TLS failed: wrong version number"),
              conf::UpstreamTlsFailure::kNotTls);
}

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
                               .key = "guess:user-net:192.0.2.0/24=bob",
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

using session::LimitDecision;

TEST_F(FactSinkTest, EveryDecisionOfALimitIsCountedUnderItsRule) {
    const std::pair<LimitDecision, const char*> decisions[] = {
        {LimitDecision::kAllow, "allow"},        {LimitDecision::kDelay, "delay"},
        {LimitDecision::kDefer, "defer"},        {LimitDecision::kReject, "reject"},
        {LimitDecision::kClose, "close"},        {LimitDecision::kWouldRefuse, "would_refuse"},
        {LimitDecision::kFailOpen, "fail_open"}, {LimitDecision::kUnavailable, "unavailable"},
    };
    const auto count_of = [this](const char* limit, const char* decision, int count) {
        return HasSubstr(std::string("gatepost_rate_limit_decisions_total{limit=\"") + limit +
                         "\",decision=\"" + decision + "\"} " + std::to_string(count) + '\n');
    };
    for (const auto& [decision, name] : decisions) {
        EXPECT_THAT(metrics(), count_of("all", name, 0));
        take(session::LimitDecided{.rule = 1, .decision = decision, .key = "limit:all:"});
        EXPECT_THAT(metrics(), count_of("all", name, 1));
        EXPECT_THAT(metrics(), count_of("user-messages", name, 0));
    }
}

TEST_F(FactSinkTest, ALimitThatRefusesSaysWhomWhyAndUntilWhen) {
    context_.listener_name = "submission";
    context_.client_ip = "192.0.2.7";
    for (const LimitDecision decision :
         {LimitDecision::kDefer, LimitDecision::kReject, LimitDecision::kClose, LimitDecision::kDelay}) {
        take(session::LimitDecided{.rule = 0,
                                   .decision = decision,
                                   .key = "limit:user-messages:alice",
                                   .retry_after = std::chrono::milliseconds(7500)});
    }
    take(session::LimitDecided{
        .rule = 1, .decision = LimitDecision::kReject, .key = "limit:all:", .retry_after = Duration::max()});
    const std::string text = log();
    const std::string whom =
        " session=s-1 listener=submission client_ip=192.0.2.7 user=alice limit=user-messages "
        "key=limit:user-messages:alice action=";
    EXPECT_THAT(text, HasSubstr("limit_refused" + whom + "defer retry_after=7.5"));
    EXPECT_THAT(text, HasSubstr("limit_refused" + whom + "reject retry_after=7.5"));
    EXPECT_THAT(text, HasSubstr("limit_refused" + whom + "close retry_after=7.5"));
    EXPECT_THAT(text, HasSubstr("limit_delayed" + whom + "delay retry_after=7.5"));
    EXPECT_THAT(text, HasSubstr("limit=all key=limit:all: action=reject\n"));
}

TEST_F(FactSinkTest, TheTimesOfAMessageAreAllOfIt_AndAnotherUpstreamIsWaitedForAgain) {
    using namespace std::chrono_literals;
    using session::MessagePhase;
    take_at(0ms, session::AuthBegun{});
    take_at(
        70ms,
        session::AuthEnded{
            .end = session::AuthEnd::kSucceeded, .mechanism = "PLAIN", .user = "alice", .backend = "local"});
    take_at(100ms, session::MessageBegun{});
    take_at(103ms, session::MessagePhaseBegun{MessagePhase::kEnvelope});
    take_at(105ms, session::MessagePhaseBegun{MessagePhase::kWait});
    take_at(110ms, session::MessagePhaseBegun{MessagePhase::kEnvelope});
    take_at(130ms, session::MessagePhaseBegun{MessagePhase::kData});
    take_at(230ms, session::MessagePhaseBegun{MessagePhase::kAnswer});
    take_at(530ms, session::MessageEnded{
                       .result = session::Result::kAccepted, .sender = {}, .code = 250, .reply = {}});
    take_at(600ms, session::MessageBegun{});
    take_at(640ms, session::MessageEnded{
                       .result = session::Result::kTransient, .sender = {}, .code = 451, .reply = {}});
    sink_->closed(context_, TimePoint() + 1h + 1s,
                  {.reason = conf::CloseReason::kQuit, .greeting_name = {}, .identity = {}});
    const std::string text = log();
    EXPECT_THAT(text, HasSubstr(" tls=none user=alice mechanism=PLAIN backend=local message=1 "));
    EXPECT_THAT(text, HasSubstr("code=250 duration=0.430 time_wait=0.008 time_envelope=0.022 time_data=0.100 "
                                "time_answer=0.300\n"));
    EXPECT_THAT(text, HasSubstr("code=451 duration=0.040 time_wait=0.040 time_envelope=0.000 time_data=0.000 "
                                "time_answer=0.000\n"));
    EXPECT_THAT(text, HasSubstr(" time_tls=0.000 time_auth=0.070 time_messages=0.470 reason=quit"));
}

TEST_F(FactSinkTest, ALimitThatOnlyWouldRefuseSaysSoAndNamesNoAction) {
    take(session::LimitDecided{.rule = 0,
                               .decision = LimitDecision::kWouldRefuse,
                               .key = "limit:user-messages:alice",
                               .retry_after = std::chrono::seconds(2)});
    const std::string text = log();
    EXPECT_THAT(text, HasSubstr("limit_would_refuse "));
    EXPECT_THAT(text, HasSubstr("key=limit:user-messages:alice retry_after=2"));
    EXPECT_THAT(text, Not(HasSubstr("action=")));
}

TEST_F(FactSinkTest, WhatALimitAllowsOrCannotSayIsNoLine) {
    for (const LimitDecision decision :
         {LimitDecision::kAllow, LimitDecision::kFailOpen, LimitDecision::kUnavailable}) {
        take(session::LimitDecided{.rule = 0, .decision = decision, .key = "limit:user-messages:alice"});
    }
    EXPECT_THAT(log(), IsEmpty());
}

TEST_F(FactSinkTest, TheKeyOfALimitIsEscaped) {
    take(session::LimitDecided{.rule = 0,
                               .decision = LimitDecision::kDefer,
                               .key = "limit:user-messages:a\r\nforged key=\"x",
                               .retry_after = std::chrono::seconds(1)});
    EXPECT_THAT(log(), HasSubstr(R"(key="limit:user-messages:a\x0d\x0aforged key\x3d\x22x")"));
}

TEST_F(FactSinkTest, EveryPolicyIsCountedAndHasItsReason) {
    using session::Policy;
    struct Row {
        Policy policy;
        const char* address;
        const char* counted;
        const char* logged;
    };
    const Row rows[] = {
        {Policy::kSender, "bob@b.example", "policy=\"sender_login\",decision=\"reject\"",
         "reason=sender_login from=bob@b.example"},
        {Policy::kNullSender, "", "policy=\"null_sender\",decision=\"reject\"",
         "reason=null_sender from=\"\""},
        {Policy::kRecipient, "c@c.example", "policy=\"recipient\",decision=\"reject\"",
         "reason=recipient to=c@c.example"},
        {Policy::kSize, "", "policy=\"size\",decision=\"reject\"", "reason=size"},
        {Policy::kRecipients, "", "policy=\"recipient_count\",decision=\"defer\"", "reason=recipient_count"},
    };
    context_.listener_name = "submission";
    context_.client_ip = "192.0.2.7";
    for (const Row& row : rows) {
        const std::string series = std::string("gatepost_policy_decisions_total{") + row.counted + "} ";
        EXPECT_THAT(metrics(), HasSubstr(series + "0\n"));
        take(session::PolicyRefused{.policy = row.policy, .address = row.address});
        EXPECT_THAT(metrics(), HasSubstr(series + "1\n"));
    }
    const std::string text = log();
    const std::string whom = "policy_refused session=s-1 listener=submission client_ip=192.0.2.7 user=alice ";
    for (const Row& row : rows) EXPECT_THAT(text, HasSubstr(whom + row.logged + '\n'));
}

TEST_F(FactSinkTest, TheAddressThatAPolicyRefusedIsEscaped) {
    take(session::PolicyRefused{.policy = session::Policy::kSender, .address = "a@b\r\nforged"});
    take(session::PolicyRefused{.policy = session::Policy::kRecipient, .address = "\"c d\x01\"@e"});
    const std::string text = log();
    EXPECT_THAT(text, HasSubstr(R"(from="a@b\x0d\x0aforged")"));
    EXPECT_THAT(text, HasSubstr(R"(to="\x22c d\x01\x22@e")"));
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

TEST_F(FactSinkTest, OctetsAreCountedWithEachMessageAndOnce) {
    const auto counted = [&](const std::string& octets) {
        return HasSubstr("_bytes_total{listener=\"submission\"} " + octets + '\n');
    };
    sink_->opened(context_);
    context_.received = 100;
    context_.sent = 30;
    take(session::MessageEnded{.sender = {}, .reply = {}});
    EXPECT_THAT(metrics(), counted("100"));
    EXPECT_THAT(metrics(), counted("30"));
    context_.received += 5;
    sink_->closed(context_, TimePoint(), {.greeting_name = {}, .identity = {}});
    EXPECT_THAT(metrics(), counted("105"));
    EXPECT_THAT(metrics(), counted("30"));
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

// What the status says first, and that it says the same as JSON, as a page and to hostile names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/observe/metrics_registry.h"
#include "proxy/server/status_json.h"
#include "proxy/server/status_page.h"
#include "proxy/server/status_report.h"

namespace gatepost::server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const WallTime kNow{std::chrono::seconds(1'795'906'430)};

Status healthy() {
    Status status;
    status.version = "1.2.3";
    status.pid = 42;
    status.up = 3h;
    status.configuration = {
        .file = "/etc/gatepost.yaml", .hash = "abc", .loaded = kNow - 1h, .last_error = {}};
    status.listeners.push_back(
        {.name = "a", .address = "127.0.0.1:587", .tls = "starttls", .connections = 1, .most = 100});
    status.upstreams.push_back(
        {.name = "mta",
         .servers = {{.name = "one:25", .is_up = true}, {.name = "two:25", .is_up = true}},
         .waiting = 0});
    status.backends.push_back(
        {.name = "local", .type = "file", .connections = 0, .answered = 10, .failed = 0});
    status.limits.push_back({.name = "hourly", .allowed = 5, .refused = 6});
    status.limit_store = "memory";
    status.certificates.push_back({.file = "x.crt", .expires = kNow + std::chrono::days(90)});
    status.messages = {.accepted = 1, .tempfail = 2, .permfail = 3, .aborted = 4};
    return status;
}

Finding only_finding(Status status) {
    const StatusReport report = report_of(std::move(status), kNow);
    EXPECT_EQ(report.findings.size(), 1U);
    return report.findings.empty() ? Finding() : report.findings.front();
}

TEST(StatusReport, WhenAllIsWell_FindsNothing) {
    const StatusReport report = report_of(healthy(), kNow);
    EXPECT_EQ(report.health, Health::kFlows);
    EXPECT_TRUE(report.findings.empty());
    EXPECT_EQ(headline(report), "mail flows");
}

TEST(StatusReport, WhenOneServerIsDown_WarnsOfIt_AndOfAllSaysWhoseFaultItIs) {
    Status status = healthy();
    status.upstreams[0].servers[1].is_up = false;
    EXPECT_EQ(only_finding(status), (Finding{false, "upstream", "mta: server two:25 is down"}));
    status.upstreams[0].servers[0].is_up = false;
    status.upstreams[0].servers[1].why = "refused";
    EXPECT_EQ(only_finding(status),
              (Finding{true, "upstream", "mta: no server is up: one:25, two:25 (refused)"}));
    EXPECT_EQ(headline(report_of(status, kNow)), "some mail does not flow");
    status.unready_because = {"no server of upstream mta is healthy"};
    EXPECT_EQ(headline(report_of(status, kNow)), "mail does not flow");
}

TEST(StatusReport, EachPart_HasItsOwnFinding) {
    Status status = healthy();
    status.upstreams[0].waiting = 7;
    EXPECT_THAT(only_finding(status).what, HasSubstr("7 sessions wait"));
    status = healthy();
    status.listeners[0].connections = 84;
    EXPECT_TRUE(report_of(status, kNow).findings.empty());
    status.listeners[0].connections = 85;
    EXPECT_EQ(only_finding(status), (Finding{false, "listener", "a: nearly full, 85 of 100 connections"}));
    status.listeners[0].connections = 100;
    EXPECT_TRUE(only_finding(status).is_broken);
    status = healthy();
    status.backends[0].failed = 1;
    EXPECT_EQ(only_finding(status),
              (Finding{false, "backend", "local: 1 of 11 questions failed since the start"}));
    status = healthy();
    status.backends[0].type = "redis";
    EXPECT_EQ(only_finding(status), (Finding{true, "backend", "local: no connection to it stands"}));
    status = healthy();
    status.certificates[0].expires = kNow + std::chrono::days(13);
    EXPECT_EQ(only_finding(status), (Finding{false, "certificate", "x.crt expires in 13 d"}));
    status.certificates[0].expires = kNow;
    EXPECT_TRUE(only_finding(status).is_broken);
    status = healthy();
    status.limit_store_is_up = false;
    EXPECT_EQ(only_finding(status).whose, "limit store");
    status = healthy();
    status.configuration.last_error = "line 3";
    EXPECT_EQ(only_finding(status).what, "the last reload changed nothing: line 3");
}

TEST(StatusReport, WhatIsBroken_ComesFirst) {
    Status status = healthy();
    status.is_draining = true;
    status.listeners[0].connections = 100;
    const StatusReport report = report_of(status, kNow);
    EXPECT_THAT(report.findings, ElementsAre(testing::Field(&Finding::whose, "listener"),
                                             testing::Field(&Finding::whose, "operator")));
    EXPECT_EQ(headline(report), "draining");
}

TEST(StatusJson, ReadAgain_IsTheSame) {
    Status status = healthy();
    status.upstreams[0].servers[1] = {.name = "two:25", .is_up = false, .active = 3, .idle = 4};
    status.unready_because = {"draining"};
    status.is_draining = true;
    const std::string json = status_json(report_of(status, kNow));
    const auto read = parse_status(json);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(status_json(*read), json);
    EXPECT_EQ(read->status.upstreams[0].servers[1].idle, 4U);
    EXPECT_EQ(read->health, Health::kStopped);
    EXPECT_FALSE(read->status.upstreams[0].servers[1].is_up);
}

TEST(StatusJson, OfNoUtf8_IsStillJson) {
    Status status = healthy();
    status.listeners[0].name = "\xff\"\n";
    const auto read = parse_status(status_json(report_of(status, kNow)));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->status.listeners[0].name, "\xEF\xBF\xBD\"\n");
}

TEST(StatusJson, OfSomethingElse_IsAnError_AndOfAnotherVersionWhatItSays) {
    for (const char* text : {"", "[]", "{", "null", "{\"pid\": \"x\"}", "{\"listeners\": [1]}"})
        EXPECT_FALSE(parse_status(text)) << text;
    const auto other = parse_status("{\"version\": \"9\", \"new\": {}}");
    ASSERT_TRUE(other);
    EXPECT_EQ(other->status.version, "9");
}

TEST(StatusPage, OfHostileNames_HasNoElementOfTheirs) {
    Status status = healthy();
    const std::string hostile = "<script>alert('x')</script>&\"";
    status.listeners[0].name = status.upstreams[0].name = status.upstreams[0].servers[0].name = hostile;
    status.backends[0].name = status.limits[0].name = status.limit_store = hostile;
    status.certificates[0].file = status.configuration.file = status.configuration.last_error = hostile;
    status.listeners[0].address = status.version = status.configuration.hash = hostile;
    status.upstreams[0].servers[1].is_up = false;
    const std::string page = status_page(report_of(status, kNow));
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, Not(HasSubstr("&\"")));
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
    EXPECT_THAT(page, HasSubstr("<meta http-equiv=\"refresh\""));
    EXPECT_THAT(page, HasSubstr("<td class=\"down\">down</td>"));
}

TEST(UtcText, IsADateAndATime) {
    EXPECT_EQ(utc_text(kNow), "2026-11-28 22:53:50 UTC");
}

TEST(MetricsTotal, IsOverTheSeriesAtThesePositions) {
    observe::MetricsRegistry registry({.listeners = {"a", "b"},
                                       .mechanisms = {},
                                       .backends = {},
                                       .upstreams = {"u", "v"},
                                       .endpoints = {},
                                       .certificates = {},
                                       .version = {},
                                       .revision = {},
                                       .tls_library = {}});
    using enum conf::MessageResult;
    for (int i = 0; i < 2; ++i) {
        observe::WorkerMetrics& worker = registry.add_worker();
        worker.message_finished(observe::ListenerIndex{1}, observe::UpstreamIndex{0},
                                {.result = kAccepted,
                                 .origin = conf::Origin::kUpstream,
                                 .octets = 1,
                                 .recipients = 1,
                                 .took = 1s});
        worker.message_finished(observe::ListenerIndex{0}, observe::UpstreamIndex{1},
                                {.result = kAccepted,
                                 .origin = conf::Origin::kUpstream,
                                 .octets = 1,
                                 .recipients = 1,
                                 .took = 1s});
        worker.message_finished(observe::ListenerIndex{0}, observe::UpstreamIndex{1},
                                {.result = kTempfail,
                                 .origin = conf::Origin::kGateway,
                                 .octets = 1,
                                 .recipients = 1,
                                 .took = 1s});
    }
    constexpr auto kAny = std::optional<std::size_t>();
    const auto accepted = static_cast<std::size_t>(kAccepted);
    EXPECT_EQ(registry.total(conf::Metric::messages_total), 6U);
    EXPECT_EQ(registry.total(conf::Metric::messages_total, {kAny, kAny, accepted}), 4U);
    EXPECT_EQ(registry.total(conf::Metric::messages_total, {std::size_t{1}, kAny, accepted, kAny}), 2U);
    EXPECT_EQ(registry.total(conf::Metric::messages_total, {std::size_t{1}, std::size_t{1}}), 0U);
}

}  // namespace
}  // namespace gatepost::server

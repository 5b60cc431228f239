// What a scrape says over reloads of the configuration: what was counted goes on as long as its name stays.
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/observe/metrics_registry.h"
#include "tests/unit/proxy/observe/exposition.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;

constexpr ListenerIndex kFirst{0};
constexpr ListenerIndex kSecond{1};
constexpr UpstreamIndex kMail{0};

LabelSets with_listeners(std::vector<std::string> listeners) {
    LabelSets labels;
    labels.listeners = std::move(listeners);
    labels.upstreams = {"mail"};
    labels.endpoints = {{kMail, "mta:25"}};
    return labels;
}

std::shared_ptr<MetricsRegistry> reload(const std::shared_ptr<MetricsRegistry>& predecessor,
                                        std::vector<std::string> listeners) {
    return std::make_shared<MetricsRegistry>(with_listeners(std::move(listeners)), predecessor);
}

void count(WorkerMetrics& worker, ListenerIndex listener, int times) {
    for (int i = 0; i < times; ++i) worker.connection_accepted(listener);
}

std::string accepted(const std::string& listener) {
    return "gatepost_connections_accepted_total{listener=\"" + listener + "\"}";
}

TEST(MetricsGenerations, WhenANameStays_ItsCountGoesOnWhereverItStandsNow) {
    const auto old = reload(nullptr, {"a", "b"});
    WorkerMetrics& before = old->add_worker();
    count(before, kFirst, 3);
    count(before, kSecond, 5);
    const auto now = reload(old, {"b", "a"});
    count(now->add_worker(), kFirst, 10);
    count(before, kSecond, 1);  // a session of before the reload
    EXPECT_EQ(value_of(*now, accepted("a")), 3);
    EXPECT_EQ(value_of(*now, accepted("b")), 16);
}

TEST(MetricsGenerations, WhenANameGoes_SoDoItsSeries_AndOneThatComesBeginsAtZero) {
    const auto old = reload(nullptr, {"a", "b"});
    count(old->add_worker(), kSecond, 5);
    const auto now = reload(old, {"a", "c"});
    const auto all = parse(now->scrape());
    EXPECT_FALSE(all.contains(accepted("b")));
    EXPECT_EQ(all.at(accepted("c")), 0);
    EXPECT_EQ(all.at(accepted("a")), 0);
    EXPECT_EQ(all.size(), now->series());
}

TEST(MetricsGenerations, WhenOneOfTwoLabelsGoes_TheOtherDoesNotInheritItsCounts) {
    LabelSets two = with_listeners({"a"});
    two.upstreams = {"mail", "bulk"};
    two.endpoints = {{kMail, "mta:25"}, {UpstreamIndex{1}, "mta:25"}};
    const auto old = std::make_shared<MetricsRegistry>(two);
    WorkerMetrics& worker = old->add_worker();
    worker.upstream_connected(EndpointIndex{0}, conf::ConnectResult::kRefused, 1ms);
    worker.upstream_connected(EndpointIndex{1}, conf::ConnectResult::kRefused, 1ms);
    const auto now = reload(old, {"a"});
    EXPECT_EQ(
        value_of(
            *now,
            "gatepost_upstream_connects_total{upstream=\"mail\",endpoint=\"mta:25\",result=\"refused\"}"),
        1);
}

TEST(MetricsGenerations, HistogramsAddUpInBucketsCountAndSum) {
    const auto old = reload(nullptr, {"a"});
    const auto message = [](WorkerMetrics& worker, std::uint64_t octets, Duration took) {
        worker.message_finished(kFirst, kMail,
                                {.result = conf::MessageResult::kAccepted, .octets = octets, .took = took});
    };
    message(old->add_worker(), 2000, 3ms);
    const auto now = reload(old, {"a"});
    message(now->add_worker(), 1000, 40ms);
    const auto all = parse(now->scrape());
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"mail\",le=\"1024\"}"), 1);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"mail\",le=\"4096\"}"), 2);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_sum{upstream=\"mail\"}"), 3000);
    const std::string labels = "{upstream=\"mail\",result=\"accepted\"}";
    EXPECT_EQ(all.at("gatepost_message_duration_seconds_count" + labels), 2);
    EXPECT_DOUBLE_EQ(all.at("gatepost_message_duration_seconds_sum" + labels), 0.043);
}

TEST(MetricsGenerations, WhenTheMiddleOneOfThreeRetires_NothingIsLost) {
    const auto first = reload(nullptr, {"a", "b"});
    WorkerMetrics& long_session = first->add_worker();
    count(long_session, kFirst, 1);
    const auto second = reload(first, {"b", "a"});
    count(second->add_worker(), kSecond, 10);
    const auto third = reload(second, {"x", "a"});
    count(third->add_worker(), kSecond, 100);
    EXPECT_EQ(value_of(*third, accepted("a")), 111);
    EXPECT_EQ(third->generations(), 3U);

    second->retire();
    EXPECT_EQ(value_of(*third, accepted("a")), 111);
    EXPECT_EQ(third->generations(), 2U);
    count(long_session, kFirst, 1000);
    EXPECT_EQ(value_of(*third, accepted("a")), 1111);

    first->retire();
    EXPECT_EQ(value_of(*third, accepted("a")), 1111);
    EXPECT_EQ(value_of(*third, accepted("a")), 1111) << "counted once, not at each scrape";
    EXPECT_EQ(third->generations(), 1U);
}

TEST(MetricsGenerations, ARetiredOneIsFreed) {
    auto old = reload(nullptr, {"a"});
    const std::weak_ptr<MetricsRegistry> watched = old;
    const auto now = reload(old, {"a"});
    old->retire();
    old.reset();
    EXPECT_FALSE(watched.expired());
    static_cast<void>(now->scrape());
    EXPECT_TRUE(watched.expired());
}

TEST(MetricsGenerations, WithoutAScrapeTheNextOneFreesThem) {
    const auto held = reload(nullptr, {"a"});
    auto old = reload(held, {"a"});
    count(old->add_worker(), kFirst, 4);
    const auto middle = reload(old, {"a"});
    const std::weak_ptr<MetricsRegistry> watched = old;
    old->retire();
    old.reset();
    const auto now = reload(middle, {"a"});
    EXPECT_TRUE(watched.expired());
    EXPECT_EQ(value_of(*now, accepted("a")), 4);
}

TEST(MetricsGenerations, WhenANameIsAwayForOneGeneration_ItBeginsAgain) {
    const auto first = reload(nullptr, {"a"});
    count(first->add_worker(), kFirst, 4);
    const auto second = reload(first, {"b"});
    const auto third = reload(second, {"a"});
    EXPECT_EQ(value_of(*third, accepted("a")), 0);
    second->retire();
    EXPECT_EQ(value_of(*third, accepted("a")), 0);
}

TEST(MetricsGenerations, LiveGaugesAreSums_AndSetOnesAreOfTheNewest) {
    const auto old = reload(nullptr, {"a"});
    WorkerMetrics& before = old->add_worker();
    before.connection_opened(kFirst);
    before.connection_opened(kFirst);
    before.upstream_waiting(kMail, true);
    old->set_connections_limit(kFirst, 10);
    old->set_upstream_up(EndpointIndex{0}, true);
    const auto now = reload(old, {"a"});
    now->add_worker().connection_opened(kFirst);
    now->set_connections_limit(kFirst, 20);
    const auto active = [&] { return value_of(*now, "gatepost_connections_active{listener=\"a\"}"); };
    EXPECT_EQ(active(), 3);
    EXPECT_EQ(value_of(*now, "gatepost_upstream_pool_waiting{upstream=\"mail\"}"), 1);
    EXPECT_EQ(value_of(*now, "gatepost_connections_limit{listener=\"a\"}"), 20);
    EXPECT_EQ(value_of(*now, "gatepost_upstream_up{upstream=\"mail\",endpoint=\"mta:25\"}"), 0);
    before.connection_closed(kFirst, conf::CloseReason::kQuit, conf::SessionPhase::kGreeting, 1s);
    before.connection_closed(kFirst, conf::CloseReason::kQuit, conf::SessionPhase::kGreeting, 1s);
    before.upstream_waiting(kMail, false);
    EXPECT_EQ(active(), 1);
    old->retire();
    EXPECT_EQ(active(), 1);
}

TEST(MetricsGenerations, WhatIsOfTheProcessIsSharedByAll) {
    const auto old = reload(nullptr, {"a"});
    old->set_ready(true);
    old->config_loaded(WallTime(1700000000s), "one");
    const auto now = reload(old, {"a"});
    EXPECT_EQ(value_of(*now, "gatepost_ready"), 1);
    EXPECT_EQ(value_of(*now, "gatepost_config_last_reload_success_timestamp_seconds"), 1700000000);
    EXPECT_EQ(value_of(*now, "gatepost_config_info{hash=\"one\"}"), 1);
    old->set_draining(true);
    EXPECT_EQ(value_of(*now, "gatepost_draining"), 1) << "set while the new one warms up";
    now->config_loaded(WallTime(1700000060s), "two");
    EXPECT_FALSE(parse(now->scrape()).contains("gatepost_config_info{hash=\"one\"}"));
    EXPECT_EQ(value_of(*now, "gatepost_config_info{hash=\"two\"}"), 1);
    now->config_refused();
    EXPECT_EQ(value_of(*now, "gatepost_config_last_reload_successful"), 0);
    EXPECT_EQ(value_of(*now, "gatepost_config_last_reload_success_timestamp_seconds"), 1700000060);
}

TEST(MetricsGenerations, WhatLivesLongerThanAConfigurationCountsOnAfterItsRegistryIsGone) {
    auto old = std::make_shared<MetricsRegistry>(with_listeners({"a"}));
    WorkerMetrics& main_loop = old->add_process_worker();
    main_loop.admin_answered(conf::AdminRoute::kMetrics, conf::CodeClass::k2xx);
    const auto now = reload(old, {"b", "a"});
    old->retire();
    old.reset();
    const std::string scrapes = "gatepost_admin_requests_total{route=\"/metrics\",code_class=\"2xx\"}";
    EXPECT_EQ(value_of(*now, scrapes), 1);
    main_loop.admin_answered(conf::AdminRoute::kMetrics, conf::CodeClass::k2xx);
    main_loop.dns_answered(conf::DnsType::kAaaa, conf::DnsResult::kNotFound, 20ms);
    EXPECT_EQ(now->generations(), 1U);
    EXPECT_EQ(value_of(*now, scrapes), 2);
    EXPECT_EQ(value_of(*now, "gatepost_dns_lookup_duration_seconds_count{type=\"AAAA\"}"), 1);
}

TEST(MetricsGenerations, WhenSessionsCountOnWhileScrapesLetGo_NothingGoesBack) {
    auto newest = reload(nullptr, {"a"});
    double seen = 0;
    for (int generation = 0; generation < 20; ++generation) {
        WorkerMetrics& worker = newest->add_worker();
        const auto before = newest;
        newest = reload(before, {"a"});
        count(worker, kFirst, 7);
        const double now = value_of(*newest, accepted("a"));
        EXPECT_EQ(now, seen + 7);
        if (generation % 3 != 0) before->retire();
        seen = value_of(*newest, accepted("a"));
        EXPECT_EQ(seen, now);
    }
    EXPECT_EQ(newest->generations(), 8U) << "those that did not retire, and itself";
}

}  // namespace
}  // namespace gatepost::observe

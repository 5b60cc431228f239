// Counting on several threads while a scrape reads, and what the scrape says.
#include "proxy/observe/metrics_registry.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/observe/metrics_markdown.h"
#include "tests/unit/proxy/observe/exposition.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr ListenerIndex kSubmission{0};
constexpr ListenerIndex kSubmissions{1};
constexpr UpstreamIndex kDefault{0};

LabelSets two_of_each() {
    LabelSets labels;
    labels.listeners = {"submission", "submissions"};
    labels.mechanisms = {"PLAIN", "LOGIN"};
    labels.backends = {"local"};
    labels.upstreams = {"default", "bulk"};
    labels.endpoints = {{UpstreamIndex{0}, "mta.internal:25"}, {UpstreamIndex{1}, "bulk.internal:25"}};
    labels.certificates = {"/etc/gatepost/tls/tls.crt"};
    labels.limits = {"user-messages"};
    labels.workers = 2;
    labels.version = "0.1.0";
    labels.revision = "abc";
    labels.tls_library = "OpenSSL 3.0.15";
    return labels;
}

WorkerMetrics::Message accepted(std::uint64_t octets, Duration took) {
    return {.result = conf::MessageResult::kAccepted,
            .origin = conf::Origin::kUpstream,
            .octets = octets,
            .recipients = 2,
            .took = took,
            .overhead = 30us};
}

void close(WorkerMetrics& worker, conf::CloseReason reason) {
    worker.connection_closed(kSubmission, reason, conf::SessionPhase::kGreeting, 40s);
}

TEST(MetricsRegistry, WhenNothingHappened_ShowsEverySeriesAtZero) {
    const MetricsRegistry registry(two_of_each());
    const auto all = parse(registry.scrape());
    EXPECT_EQ(all.size(), registry.series());
    std::set<std::string> families;
    for (const auto& [series, value] : all) {
        const std::string name = series.substr(0, series.find('{'));
        families.insert(name);
        const bool is_not_counted =
            name.starts_with("process_") || name == "gatepost_build_info" || name == "gatepost_config_info" ||
            name.starts_with("gatepost_config_last_reload_success") || name == "gatepost_auth_backend_up";
        EXPECT_TRUE(is_not_counted || value == 0) << series << " is " << value;
    }
    for (const conf::MetricRow& row : conf::kMetrics) {
        std::string name = std::string(conf::prefix_of(row.name)) + std::string(row.name);
        if (row.kind == conf::MetricKind::kHistogram) name += "_bucket";
        EXPECT_TRUE(families.contains(name)) << name;
    }
    EXPECT_EQ(
        all.at("gatepost_build_info{version=\"0.1.0\",revision=\"abc\",tls_library=\"OpenSSL 3.0.15\"}"), 1);
    EXPECT_EQ(all.at("gatepost_config_last_reload_successful"), 1);
    EXPECT_EQ(all.at("gatepost_connections_closed_total{listener=\"submissions\",reason=\"client_eof\"}"), 0);
    EXPECT_EQ(all.at("gatepost_upstream_up{upstream=\"bulk\",endpoint=\"bulk.internal:25\"}"), 0);
}

TEST(MetricsRegistry, EveryFactLandsInItsOwnSeries) {
    MetricsRegistry registry(two_of_each());
    WorkerMetrics& worker = registry.add_worker();
    const auto local = registry.backend("local");
    worker.connection_accepted(kSubmissions);
    worker.connection_rejected(kSubmission, conf::RejectReason::kLimit);
    worker.connection_opened(kSubmission);
    worker.connection_opened(kSubmission);
    close(worker, conf::CloseReason::kQuit);
    worker.received(kSubmission, 1000);
    worker.sent(kSubmissions, 2000);
    worker.proxy_header(kSubmission, conf::ProxyVersion::kV2, conf::ProxyResult::kMalformed);
    worker.tls_established(kSubmission, conf::HandshakeMode::kStarttls, conf::tls_protocol_of("TLSv1.3"),
                           true, 3ms);
    worker.tls_failed(kSubmissions, conf::HandshakeMode::kImplicit, conf::TlsFailure::kNotTls);
    worker.auth_finished(kSubmission, registry.mechanism("LOGIN"), local, conf::AuthResult::kSuccess, 20ms);
    worker.session_moved(kSubmission, conf::SessionPhase::kGreeting, conf::SessionPhase::kData);
    worker.certificate_loaded(CertificateIndex{0}, conf::LoadResult::kOk);
    worker.config_reloaded(conf::ReloadTriggerLabel::kApi, conf::LoadResult::kFailed);
    worker.dns_answered(conf::DnsType::kA, conf::DnsResult::kOk, 4ms);
    worker.worker_busy(WorkerIndex{1}, 1500ms);
    worker.loop_lagged(2ms);
    worker.buffers_changed(5000);
    worker.buffers_changed(-1000);
    worker.drain_cut_transaction();
    worker.auth_block_begun(conf::GuessingScope::kNetwork);
    worker.command_took(conf::CommandVerb::kRcpt, 2ms);
    worker.upstream_tls_failed(kDefault, conf::UpstreamTlsFailure::kCertificate);
    worker.upstream_sent(kDefault, 700);
    worker.upstream_took(kDefault, conf::UpstreamCommand::kMessage, 70ms);
    registry.set_auth_cache_entries(local, 12);
    registry.set_auth_backend_up(local, false);
    registry.set_auth_backend_up(registry.backend("nobody"), false);
    worker.backend_connection_moved(local, std::nullopt, conf::PoolState::kOpening);
    worker.backend_connection_moved(local, conf::PoolState::kOpening, conf::PoolState::kActive);
    worker.backend_connection_moved(registry.backend("nobody"), std::nullopt, conf::PoolState::kIdle);
    worker.auth_cache_looked_up(local, conf::CacheResult::kHit);
    worker.auth_cache_looked_up(registry.backend("nobody"), conf::CacheResult::kMiss);
    worker.auth_backend_answered(local, conf::BackendResult::kDenied, 5ms);
    worker.auth_backend_answered(registry.backend("nobody"), conf::BackendResult::kOk, 5ms);
    worker.command_answered(kSubmission, conf::CommandVerb::kRcpt, conf::reply_class_of(550));
    worker.protocol_error(kSubmission, conf::ProtocolError::kSmuggling);
    worker.message_finished(kSubmissions, UpstreamIndex{1}, accepted(4096, 2s));
    worker.recipient_answered(UpstreamIndex{1}, conf::RecipientResult::kPermfail, conf::Origin::kUpstream);
    worker.upstream_connected(EndpointIndex{1}, conf::ConnectResult::kOk, 3ms);
    worker.upstream_connected(EndpointIndex{0}, conf::ConnectResult::kRefused, 1ms);
    worker.upstream_replied(kDefault, conf::UpstreamVerb::kMessage, conf::upstream_reply_class_of(42));
    worker.health_checked(EndpointIndex{0}, conf::HealthResult::kFailed);
    worker.admin_answered(conf::AdminRoute::kReadyz, conf::CodeClass::k5xx);

    std::map<std::string, double> changed;
    const auto before = parse(MetricsRegistry(two_of_each()).scrape());
    for (const auto& [series, value] : parse(registry.scrape())) {
        if (series.starts_with("gatepost_") && !series.contains("_timestamp_") &&
            value != before.at(series)) {
            changed[series.substr(9)] = value;
        }
    }
    for (auto it = changed.begin(); it != changed.end();) {  // the histograms have their own tests
        it = it->first.contains("_bucket{") || it->first.contains("_sum") ? changed.erase(it) : std::next(it);
    }
    const std::map<std::string, double> want{
        {"auth_backend_up{backend=\"local\"}", 0},
        {"auth_backend_connections{backend=\"local\",state=\"active\"}", 1},
        {"auth_backend_request_duration_seconds_count{backend=\"local\"}", 1},
        {"auth_backend_requests_total{backend=\"local\",result=\"denied\"}", 1},
        {"auth_blocks_total{scope=\"network\",reason=\"failures\"}", 1},
        {"auth_cache_entries{backend=\"local\"}", 12},
        {"auth_cache_lookups_total{backend=\"local\",result=\"hit\"}", 1},
        {"buffers_in_use_bytes", 4000},
        {"config_reloads_total{trigger=\"api\",result=\"failed\"}", 1},
        {"connection_duration_seconds_count{listener=\"submission\"}", 1},
        {"dns_lookup_duration_seconds_count{type=\"A\"}", 1},
        {"dns_lookups_total{type=\"A\",result=\"ok\"}", 1},
        {"drain_transactions_cut_total", 1},
        {"message_bytes_total{upstream=\"bulk\",result=\"accepted\"}", 4096},
        {"message_overhead_seconds_count{upstream=\"bulk\"}", 1},
        {"message_recipients_count{upstream=\"bulk\"}", 1},
        {"sessions_active{listener=\"submission\",phase=\"data\"}", 1},
        {"smtp_command_duration_seconds_count{verb=\"RCPT\"}", 1},
        {"tls_certificate_loads_total{certificate=\"/etc/gatepost/tls/tls.crt\",result=\"ok\"}", 1},
        {"tls_handshake_duration_seconds_count{listener=\"submission\"}", 1},
        {"upstream_reply_duration_seconds_count{upstream=\"default\",verb=\"MESSAGE\"}", 1},
        {"upstream_sent_bytes_total{upstream=\"default\"}", 700},
        {"upstream_tls_handshake_failures_total{upstream=\"default\",reason=\"certificate\"}", 1},
        {"worker_busy_seconds_total{worker=\"1\"}", 1.5},
        {"worker_loop_lag_seconds_count", 1},
        {"connections_accepted_total{listener=\"submissions\"}", 1},
        {"connections_rejected_total{listener=\"submission\",reason=\"limit\"}", 1},
        {"connections_active{listener=\"submission\"}", 1},
        {"connections_closed_total{listener=\"submission\",reason=\"quit\"}", 1},
        {"received_bytes_total{listener=\"submission\"}", 1000},
        {"sent_bytes_total{listener=\"submissions\"}", 2000},
        {"proxy_protocol_headers_total{listener=\"submission\",version=\"v2\",result=\"malformed\"}", 1},
        {"tls_handshakes_total{listener=\"submission\",mode=\"starttls\",version=\"TLSv1.3\"}", 1},
        {"tls_sessions_resumed_total{listener=\"submission\"}", 1},
        {"tls_handshake_failures_total{listener=\"submissions\",mode=\"implicit\",reason=\"not_tls\"}", 1},
        {"auth_attempts_total{listener=\"submission\",mechanism=\"LOGIN\",backend=\"local\",result="
         "\"success\"}",
         1},
        {"auth_duration_seconds_count{backend=\"local\",result=\"success\"}", 1},
        {"smtp_commands_total{listener=\"submission\",verb=\"RCPT\",reply_class=\"5xx\"}", 1},
        {"smtp_protocol_errors_total{listener=\"submission\",reason=\"smuggling\"}", 1},
        {"messages_total{listener=\"submissions\",upstream=\"bulk\",result=\"accepted\",origin=\"upstream\"}",
         1},
        {"message_size_bytes_count{upstream=\"bulk\"}", 1},
        {"message_duration_seconds_count{upstream=\"bulk\",result=\"accepted\"}", 1},
        {"recipients_total{upstream=\"bulk\",result=\"permfail\",origin=\"upstream\"}", 1},
        {"upstream_connects_total{upstream=\"bulk\",endpoint=\"bulk.internal:25\",result=\"ok\"}", 1},
        {"upstream_connects_total{upstream=\"default\",endpoint=\"mta.internal:25\",result=\"refused\"}", 1},
        {"upstream_connect_duration_seconds_count{upstream=\"bulk\"}", 1},
        {"upstream_replies_total{upstream=\"default\",verb=\"MESSAGE\",reply_class=\"invalid\"}", 1},
        {"upstream_health_checks_total{upstream=\"default\",endpoint=\"mta.internal:25\",result=\"failed\"}",
         1},
        {"admin_requests_total{route=\"/readyz\",code_class=\"5xx\"}", 1},
    };
    EXPECT_EQ(changed, want);
}

TEST(MetricsRegistry, BlocksAreOfTheProcess_AndAReloadForgetsNone) {
    const auto first = std::make_shared<MetricsRegistry>(two_of_each());
    MetricsRegistry second(two_of_each(), first);
    const TimePoint now = Clock::now();
    first->auth_block_noted(conf::GuessingScope::kIp, "guess:ip:192.0.2.1", now, now + 60s);
    second.auth_block_noted(conf::GuessingScope::kIp, "guess:ip:192.0.2.2", now, now + 60s);
    second.auth_block_noted(conf::GuessingScope::kNetwork, "guess:net:192.0.2.0/24", now, now + 60s);
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"ip\"}"), 2);
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"network\"}"), 1);
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"user_and_network\"}"), 0);
    second.auth_block_lifted("guess:ip:192.0.2.1");
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"ip\"}"), 1);
    second.forget_auth_blocks();
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"ip\"}"), 0);
    EXPECT_EQ(value_of(second, "gatepost_auth_blocks_active{scope=\"network\"}"), 0);
}

TEST(MetricsRegistry, GaugesShowWhatWasSetLast) {
    MetricsRegistry registry(two_of_each());
    registry.set_ready(true);
    registry.set_draining(true);
    registry.config_loaded(WallTime(1700000000s), "c0ffee");
    registry.config_refused();
    registry.set_connections_limit(kSubmissions, 10000);
    registry.set_certificate_not_after(CertificateIndex{0}, WallTime(1900000000s));
    registry.set_upstream_up(EndpointIndex{1}, true);
    const auto all = parse(registry.scrape());
    EXPECT_EQ(all.at("gatepost_ready"), 1);
    EXPECT_EQ(all.at("gatepost_draining"), 1);
    EXPECT_EQ(all.at("gatepost_config_last_reload_successful"), 0);
    EXPECT_EQ(all.at("gatepost_config_last_reload_success_timestamp_seconds"), 1700000000);
    EXPECT_EQ(all.at("gatepost_config_info{hash=\"c0ffee\"}"), 1);
    EXPECT_EQ(all.at("gatepost_connections_limit{listener=\"submissions\"}"), 10000);
    EXPECT_EQ(all.at("gatepost_connections_limit{listener=\"submission\"}"), 0);
    EXPECT_EQ(all.at("gatepost_tls_certificate_not_after_timestamp_seconds{certificate=\"/etc/gatepost/tls/"
                     "tls.crt\"}"),
              1900000000);
    EXPECT_EQ(all.at("gatepost_upstream_up{upstream=\"bulk\",endpoint=\"bulk.internal:25\"}"), 1);
    registry.set_upstream_up(EndpointIndex{1}, false);
    EXPECT_EQ(value_of(registry, "gatepost_upstream_up{upstream=\"bulk\",endpoint=\"bulk.internal:25\"}"), 0);
}

TEST(MetricsRegistry, HistogramBucketsAreCumulativeAndIncludeTheirBound) {
    MetricsRegistry registry(two_of_each());
    WorkerMetrics& worker = registry.add_worker();
    const auto message = [&](std::uint64_t octets) {
        worker.message_finished(kSubmission, kDefault, accepted(octets, 1s));
    };
    message(1024);
    message(1025);
    message(268435456);
    message(268435457);
    worker.message_finished(
        kSubmission, kDefault,
        {.result = conf::MessageResult::kAborted, .origin = conf::Origin::kClient, .octets = 77});
    const auto all = parse(registry.scrape());
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"default\",le=\"1024\"}"), 1);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"default\",le=\"4096\"}"), 2);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"default\",le=\"67108864\"}"), 2);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"default\",le=\"268435456\"}"), 3);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_bucket{upstream=\"default\",le=\"+Inf\"}"), 4);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_count{upstream=\"default\"}"), 4);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_sum{upstream=\"default\"}"),
              1024.0 + 1025 + 268435456 + 268435457);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_count{upstream=\"bulk\"}"), 0);
}

TEST(MetricsRegistry, WhenManyThreadsCountDuringScrapes_NothingIsLostAndNothingGoesBack) {
    MetricsRegistry registry(two_of_each());
    constexpr int kThreads = 4;
    constexpr int kRounds = 20000;
    std::atomic<int> running = kThreads;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&registry, &running] {
            WorkerMetrics& mine = registry.add_worker();
            for (int round = 0; round < kRounds; ++round) {
                mine.connection_opened(kSubmission);
                mine.command_answered(kSubmission, conf::CommandVerb::kMail, conf::ReplyClass::k2xx);
                mine.message_finished(kSubmission, kDefault, accepted(100, 5ms));
                close(mine, conf::CloseReason::kQuit);
            }
            --running;
        });
    }
    const std::string commands =
        "gatepost_smtp_commands_total{listener=\"submission\",verb=\"MAIL\",reply_class=\"2xx\"}";
    double seen = 0;
    do {
        const auto now = value_of(registry, commands);
        EXPECT_GE(now, seen);
        seen = now;
        registry.set_ready(running > 0);
    } while (running > 0);
    for (std::thread& thread : threads) thread.join();
    const auto all = parse(registry.scrape());
    EXPECT_EQ(all.at(commands), kThreads * kRounds);
    EXPECT_EQ(all.at("gatepost_connections_active{listener=\"submission\"}"), 0);
    EXPECT_EQ(all.at("gatepost_message_size_bytes_sum{upstream=\"default\"}"), 100.0 * kThreads * kRounds);
    EXPECT_EQ(all.at("gatepost_message_duration_seconds_bucket{upstream=\"default\",result=\"accepted\",le="
                     "\"0.005\"}"),
              kThreads * kRounds);
}

TEST(MetricsRegistry, WhenOneThreadOpensAndAnotherCloses_TheLiveCountIsTheirSum) {
    MetricsRegistry registry(two_of_each());
    WorkerMetrics& first = registry.add_worker();
    WorkerMetrics& second = registry.add_worker();
    for (int i = 0; i < 3; ++i) first.connection_opened(kSubmission);
    close(second, conf::CloseReason::kDrain);
    EXPECT_EQ(value_of(registry, "gatepost_connections_active{listener=\"submission\"}"), 2);
}

TEST(MetricsRegistry, LabelValuesAreEscaped) {
    LabelSets labels = two_of_each();
    labels.listeners[0] = "a\"b\\c\nd";
    const MetricsRegistry registry(labels);
    const std::string page = registry.scrape();
    EXPECT_THAT(page, HasSubstr("gatepost_connections_active{listener=\"a\\\"b\\\\c\\nd\"} 0\n"));
    EXPECT_EQ(parse(page).size(), registry.series()) << "no line may be torn";
}

TEST(MetricsRegistry, UnknownNamesHaveASeriesOfTheirOwn) {
    MetricsRegistry registry(two_of_each());
    WorkerMetrics& worker = registry.add_worker();
    worker.auth_finished(kSubmission, registry.mechanism("NTLM"), registry.backend(""),
                         conf::AuthResult::kRefused, 0s);
    EXPECT_EQ(
        value_of(registry,
                 "gatepost_auth_attempts_total{listener=\"submission\",mechanism=\"other\",backend=\"none\","
                 "result=\"refused\"}"),
        1);
}

TEST(MetricsRegistry, WhenNothingIsConfigured_StillScrapes) {
    const MetricsRegistry registry(LabelSets{});
    const auto all = parse(registry.scrape());
    EXPECT_EQ(all.size(), registry.series());
    EXPECT_THAT(registry.scrape(), Not(HasSubstr("gatepost_connections_active")));
}

TEST(MetricsRegistry, ABigInstallationStaysUnderThreeThousandSeries) {
    LabelSets labels;
    labels.listeners = {"submission", "submissions", "devices"};
    labels.mechanisms = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
    labels.backends = {"local", "redis"};
    labels.upstreams = {"a", "b", "c"};
    for (std::uint32_t i = 0; i < 15; ++i)
        labels.endpoints.push_back({UpstreamIndex{i / 5}, std::to_string(i)});
    labels.certificates = {"one", "two"};
    labels.limits = {"user-messages", "user-recipients", "ip-connections"};
    labels.workers = 4;
    const std::size_t series = MetricsRegistry(labels).series();
    EXPECT_LT(series, 3000U);
    EXPECT_GT(series, 2000U) << "of everything that can be counted";
}

TEST(MetricsRegistry, ProcessMetricsTellOfThisProcess) {
    const MetricsRegistry registry(two_of_each());
    const auto all = parse(registry.scrape());
    const auto now = static_cast<double>(
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
    EXPECT_NEAR(all.at("process_start_time_seconds"), now, 600);
    EXPECT_GE(all.at("process_open_fds"), 3);
    EXPECT_LT(all.at("process_open_fds"), all.at("process_max_fds"));
    EXPECT_GT(all.at("process_resident_memory_bytes"), 1e6);
    EXPECT_GE(all.at("process_virtual_memory_bytes"), all.at("process_resident_memory_bytes"));
    EXPECT_GE(all.at("process_threads"), 1);
    EXPECT_GT(all.at("process_cpu_seconds_total"), 0);
    const std::ifstream one_more("/proc/self/status");
    EXPECT_EQ(value_of(registry, "process_open_fds"), all.at("process_open_fds") + 1);
}

TEST(MetricsTable, NamesFollowPrometheusConventions) {
    for (const conf::MetricRow& row : conf::kMetrics) {
        const bool counts =
            row.kind == conf::MetricKind::kCounter || row.kind == conf::MetricKind::kSampledCounter;
        EXPECT_EQ(row.name.ends_with("_total"), counts) << row.name;
        EXPECT_EQ(row.kind == conf::MetricKind::kHistogram, !row.buckets.empty()) << row.name;
        if (row.kind == conf::MetricKind::kHistogram) {
            EXPECT_TRUE(row.name.ends_with("_seconds") || row.name.ends_with("_bytes") ||
                        row.name == "message_recipients")
                << row.name;
        }
        EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    }
}

TEST(MetricsTable, HistogramsAreByVerbOnlyWhereTheDesignSaysSo) {
    for (const conf::MetricRow& row : conf::kMetrics) {
        if (row.kind != conf::MetricKind::kHistogram) continue;
        const bool has_verb = std::ranges::any_of(
            row.axes, [](conf::Axis axis) { return conf::row_of(axis).labels.items[0] == "verb"; });
        EXPECT_EQ(has_verb, row.name == "smtp_command_duration_seconds" ||
                                row.name == "upstream_reply_duration_seconds")
            << row.name;
    }
}

TEST(MetricsTable, NoLabelTellsOfPeople) {
    for (const conf::AxisRow& axis : conf::kAxes) {
        for (const std::string_view label : axis.labels) {
            for (const std::string_view person : {"user", "address", "ip", "domain", "sender", "recipient"}) {
                EXPECT_FALSE(label.contains(person)) << label;
            }
        }
    }
}

TEST(MetricsPage, SaysWhatTheTableSays) {
    std::ifstream file(GATEPOST_DOCS "/metrics.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(page, metrics_markdown())
        << "docs/metrics.md is stale: gatepost metrics --markdown > docs/metrics.md";
}

}  // namespace
}  // namespace gatepost::observe

// What a log line looks like whatever is put into it, and where lines go when their reader is slow, gone or
// late.
#include "proxy/observe/log_sink.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/observe/log_line.h"
#include "proxy/observe/metrics_registry.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;
using conf::LogEvent;
using conf::LogField;
using conf::LogFormat;
using conf::LogLevel;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

static_assert(!std::is_constructible_v<LogValue, const Secret&> && !std::is_constructible_v<LogValue, Secret>,
              "a secret is no log value");
static_assert(!std::is_constructible_v<LogValue, char>, "a lone octet would be a number");

std::string line_of(LogEvent event, std::initializer_list<LogPair> fields,
                    LogFormat format = LogFormat::Text) {
    std::string line;
    LogLine::append(line, format, event, fields);
    return line;
}
std::string line_with_user(std::string_view user, LogFormat format = LogFormat::Text) {
    return line_of(LogEvent::auth_failed, {{LogField::user, user}}, format);
}

/// A pipe as standard error.
class Pipe {
  public:
    Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] int writer() const { return ends_[1]; }
    void make_small() const { EXPECT_GT(fcntl(ends_[1], F_SETPIPE_SZ, 4096), 0); }
    void close_reader() { end(0); }
    void close_writer() { end(1); }

    /// What is there now, or, after close_writer(), all to the end.
    std::string read_all() {
        std::string all;
        std::array<char, 65536> piece{};
        for (ssize_t count; (count = read(ends_[0], piece.data(), piece.size())) > 0;) {
            all.append(piece.data(), static_cast<std::size_t>(count));
        }
        return all;
    }
    std::string read_some() {
        std::array<char, 65536> piece{};
        const ssize_t count = read(ends_[0], piece.data(), piece.size());
        return {piece.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }

  private:
    void end(std::size_t which) {
        if (ends_[which] >= 0) close(ends_[which]);
        ends_[which] = -1;
    }
    std::array<int, 2> ends_{-1, -1};
};

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(LogLine, PrintsEachKindOfValue) {
    EXPECT_EQ(line_of(LogEvent::session, {{LogField::session, "7f-1"},
                                          {LogField::client_ip, std::string("2001:db8::1")},
                                          {LogField::client_port, std::uint16_t{587}},
                                          {LogField::resumed, true},
                                          {LogField::messages, 0U},
                                          {LogField::errors, -3},
                                          {LogField::sent, std::uint64_t{18446744073709551615U}},
                                          {LogField::duration, 61005ms}}),
              "session session=7f-1 client_ip=2001:db8::1 client_port=587 resumed=true messages=0 errors=-3 "
              "sent=18446744073709551615 duration=61.005");
    EXPECT_EQ(line_of(LogEvent::message, {{LogField::duration, 999us}}), "message duration=0.000");
    EXPECT_EQ(line_of(LogEvent::message, {{LogField::duration, -1500ms}}), "message duration=-1.500");
}

TEST(LogLine, TextIsBareOnlyWhenItIsPlain) {
    EXPECT_EQ(line_with_user("alice@example.org"), "auth_failed user=alice@example.org");
    EXPECT_EQ(line_with_user(""), "auth_failed") << "an empty text says nothing";
    EXPECT_EQ(line_with_user("a b"), "auth_failed user=\"a b\"");
    EXPECT_EQ(line_with_user("j\xc3\xbcrgen"), "auth_failed user=\"j\xc3\xbcrgen\"");
}

TEST(LogLine, NothingFromOutsideEndsTheLineOrForgesAField) {
    EXPECT_EQ(line_with_user("x\r\n2026-01-01 error forged"),
              "auth_failed user=\"x\\x0d\\x0a2026-01-01 error forged\"");
    EXPECT_EQ(line_with_user("x\" client_ip=192.0.2.1"),
              "auth_failed user=\"x\\x22 client_ip\\x3d192.0.2.1\"");
    EXPECT_EQ(line_with_user("a=b"), "auth_failed user=\"a\\x3db\"");
    EXPECT_EQ(line_with_user("\x1b[2J\\"), "auth_failed user=\"\\x1b[2J\\x5c\"");
    EXPECT_EQ(line_with_user(std::string_view("a\0b", 3)), "auth_failed user=\"a\\x00b\"");
    EXPECT_EQ(line_with_user("\xff\xc2\x85"), "auth_failed user=\"\\xff\\xc2\\x85\"");
    EXPECT_EQ(line_with_user("a\u2028\u202E"), "auth_failed user=\"a\\xe2\\x80\\xa8\\xe2\\x80\\xae\"");
}

TEST(LogLine, EveryOctetStaysOnItsLineAndInItsQuotes) {
    for (int octet = 0; octet < 256; ++octet) {
        const std::string text{'a', static_cast<char>(octet), 'b'};
        const std::string line = line_with_user(text);
        const std::string value = line.substr(std::string("auth_failed user=").size());
        EXPECT_EQ(std::count(value.begin(), value.end(), '='), 0) << octet;
        EXPECT_EQ(std::count(value.begin(), value.end(), '"'), value.front() == '"' ? 2 : 0) << octet;
        EXPECT_TRUE(std::none_of(value.begin(), value.end(), [](char c) {
            return c >= 0 && (c < ' ' || c == 0x7f);
        })) << octet;
    }
}

TEST(LogLine, LongTextIsCut) {
    const std::string line = line_with_user(std::string(100'000, 'a'));
    EXPECT_EQ(line, "auth_failed user=\"" + std::string(256, 'a') + "...\"");
    EXPECT_EQ(line_with_user(std::string(256, 'a')), "auth_failed user=" + std::string(256, 'a'));
}

TEST(LogLineDeathTest, AValueOfAnotherKindThanItsFieldIsADefect) {
    EXPECT_DEBUG_DEATH(std::ignore = line_of(LogEvent::session, {{LogField::messages, "three"}}), "kind_of");
}

TEST(LogLineDeathTest, AFieldThatTheTableDoesNotGrantIsADefect) {
    EXPECT_DEBUG_DEATH(std::ignore = line_of(LogEvent::stop, {{LogField::user, "alice"}}), "may_carry");
}

TEST(LogTable, NoFieldIsForASecret) {
    for (const conf::LogFieldRow& field : conf::kLogFields) {
        for (const std::string_view secret :
             {"pass", "secret", "token", "credential", "challenge", "base64"}) {
            EXPECT_FALSE(field.key.contains(secret)) << field.key;
        }
    }
}

TEST(LogSink, ALineIsTimeLevelEventFields) {
    Pipe pipe;
    {
        LogSink sink(LogLevel::Info, pipe.writer());
        sink.log(LogEvent::start, {{LogField::version, "0.1.0"}, {LogField::workers, 2}});
        sink.log(LogEvent::upstream_down, {{LogField::upstream, "default"}});
        sink.log(LogEvent::message, LogLevel::Error, {{LogField::result, "tempfail"}});
    }
    pipe.close_writer();
    const std::string stamp = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z ";
    EXPECT_THAT(pipe.read_all(), MatchesRegex(stamp + "info start version=0\\.1\\.0 workers=2\n" + stamp +
                                              "warning upstream_down upstream=default\n" + stamp +
                                              "error message result=tempfail\n"));
}

TEST(LogSink, InJson_ALineIsOneObject) {
    Pipe pipe;
    {
        LogSink sink(LogLevel::Info, pipe.writer());
        sink.set_format(LogFormat::Json);
        sink.log(LogEvent::start, {{LogField::version, "0.1.0"}, {LogField::workers, 2}});
        sink.log(LogEvent::upstream_down, {{LogField::what, "\x01\xff\"\\"}});
    }
    pipe.close_writer();
    const std::string stamp = R"(\{"time":"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z","level":)";
    EXPECT_THAT(
        pipe.read_all(),
        MatchesRegex(stamp + "\"info\",\"event\":\"start\",\"version\":\"0\\.1\\.0\",\"workers\":2\\}\n" +
                     stamp + R"("warning","event":"upstream_down","what":"\\u0001)" + "\xef\xbf\xbd" +
                     R"(\\"\\\\"\})" + "\n"));
}

TEST(LogSink, InLogfmt_TimeAndLevelAreFieldsToo) {
    Pipe pipe;
    {
        LogSink sink(LogLevel::Info, pipe.writer());
        sink.set_format(LogFormat::Logfmt);
        sink.log(LogEvent::start, {{LogField::version, "0 1"}, {LogField::workers, 2}});
    }
    pipe.close_writer();
    EXPECT_THAT(pipe.read_all(), MatchesRegex("time=[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z level=info event=start "
                                              "version=\"0 1\" workers=2\n"));
}

TEST(LogSink, LevelAndFormatChangeWhileItRuns) {
    Pipe pipe;
    {
        LogSink sink(conf::Log{.level = LogLevel::Error, .format = LogFormat::Logfmt}, pipe.writer());
        sink.log(LogEvent::start, {});
        sink.set_level(LogLevel::Info);
        EXPECT_TRUE(sink.wants(LogLevel::Info) && !sink.wants(LogLevel::Debug));
        sink.log(LogEvent::start, {{LogField::pid, 1}});
        sink.set_format(LogFormat::Text);
        sink.log(LogEvent::start, {{LogField::pid, 2}});
        sink.set_level(LogLevel::Warning);
        sink.log(LogEvent::start, {});
    }
    pipe.close_writer();
    EXPECT_THAT(pipe.read_all(), MatchesRegex("time=[^ ]* level=info event=start pid=1\n"
                                              "[^ =]* info start pid=2\n"));
}

TEST(LogSink, WhenBelowItsLevel_PrintsAndCountsNothing) {
    Pipe pipe;
    {
        LogSink sink(LogLevel::Warning, pipe.writer());
        sink.log(LogEvent::start, {});
        sink.log(LogEvent::debug, {});
        sink.log(LogEvent::upstream_down, {});
        EXPECT_FALSE(sink.wants(LogLevel::Info));
        EXPECT_EQ(sink.lines(LogLevel::Info), 0U);
        EXPECT_EQ(sink.lines(LogLevel::Warning), 1U);
    }
    pipe.close_writer();
    EXPECT_THAT(pipe.read_all(), EndsWith("Z warning upstream_down\n"));
}

TEST(LogSink, AWarningIsWrittenAtOnceAndAnInfoSoon) {
    Pipe pipe;
    LogSinkLimits patient;
    patient.collect = 60s;
    LogSink sink(LogLevel::Info, pipe.writer(), patient);
    const auto begin = std::chrono::steady_clock::now();
    sink.log(LogEvent::start, {});
    sink.log(LogEvent::upstream_down, {});
    std::string text;
    while (count_lines(text) < 2) text += pipe.read_some();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s) << "the warning took the info with it";

    Pipe other;
    LogSink usual(LogLevel::Info, other.writer());
    usual.log(LogEvent::start, {});
    EXPECT_THAT(other.read_some(), EndsWith("Z info start\n"));
}

TEST(LogSink, LinesOfManyThreadsAreWholeAndAllThere) {
    Pipe pipe;
    constexpr int kThreads = 4;
    constexpr int kLines = 2000;
    std::string text;
    std::thread reader([&] { text = pipe.read_all(); });
    {
        LogSinkLimits roomy;
        roomy.buffer = 16 * 1024 * 1024;
        LogSink sink(LogLevel::Info, pipe.writer(), roomy);
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&sink, i] {
                for (int j = 0; j < kLines; ++j) {
                    sink.log(LogEvent::message,
                             {{LogField::recipients, i}, {LogField::message, j}, {LogField::from, "a b"}});
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(sink.lines(LogLevel::Info), std::uint64_t{kThreads * kLines});
        EXPECT_EQ(sink.dropped(), 0U);
    }
    pipe.close_writer();
    reader.join();
    EXPECT_EQ(count_lines(text), std::size_t{kThreads * kLines});
    std::array<int, kThreads> next{};
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        int session = -1;
        int message = -1;
        ASSERT_EQ(std::sscanf(line.c_str() + line.find(" info"),
                              " info message recipients=%d message=%d from=\"a b\"", &session, &message),
                  2)
            << line;
        ASSERT_EQ(message, next[static_cast<std::size_t>(session)]++) << "in order within a thread";
        at = end + 1;
    }
}

class LogSinkOfFormat : public testing::TestWithParam<LogFormat> {};
INSTANTIATE_TEST_SUITE_P(Each, LogSinkOfFormat,
                         testing::Values(LogFormat::Text, LogFormat::Json, LogFormat::Logfmt));

TEST_P(LogSinkOfFormat, WhenTheReaderStops_NobodyWaitsAndEachLostLineIsCounted) {
    Pipe pipe;
    pipe.make_small();
    LogSinkLimits tight;
    tight.buffer = 16 * 1024;
    tight.collect = 1ms;
    constexpr std::uint64_t kLines = 5000;
    auto sink = std::make_unique<LogSink>(LogLevel::Info, pipe.writer(), tight);
    sink->set_format(GetParam());
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kLines; ++i) {
        sink->log(LogEvent::session, {{LogField::messages, i}, {LogField::reason, std::string(100, 'x')}});
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    EXPECT_EQ(sink->lines(LogLevel::Info), kLines);
    EXPECT_GT(sink->dropped(), kLines / 2);

    std::string text;
    std::thread reader([&] { text = pipe.read_all(); });
    while (sink->lines(LogLevel::Warning) == 0) {  // the writer owns up to the loss with the next batch
        sink->log(LogEvent::session, {{LogField::reason, "after"}});
        std::this_thread::sleep_for(2ms);
    }
    const std::uint64_t arrived = sink->lines(LogLevel::Info) - sink->dropped();
    sink.reset();
    pipe.close_writer();
    reader.join();
    std::uint64_t sessions = 0;
    const std::array<std::pair<const char*, const char*>, 3> marks{
        {{"Z info session ", " warning log_dropped lines="},
         {R"("event":"session",)", R"("level":"warning","event":"log_dropped","lines":)"},
         {" event=session ", " level=warning event=log_dropped lines="}}};
    const auto& [of_session, of_loss] = marks.at(static_cast<std::size_t>(GetParam()));
    for (std::size_t at = 0; (at = text.find(of_session, at)) != std::string::npos; ++at) ++sessions;
    EXPECT_EQ(sessions, arrived);
    EXPECT_THAT(text, HasSubstr(of_loss));
}

TEST(LogSink, WhenTheReaderHasStoppedForGood_TheEndIsNotHeldUp) {
    Pipe pipe;
    pipe.make_small();
    LogSinkLimits brief;
    brief.flush_at_end = 100ms;
    const auto begin = std::chrono::steady_clock::now();
    {
        LogSink sink(LogLevel::Info, pipe.writer(), brief);
        for (int i = 0; i < 1000; ++i)
            sink.log(LogEvent::session, {{LogField::reason, std::string(100, 'x')}});
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(LogSink, WhenTheReaderIsGone_TheProcessLivesAndCounts) {
    Pipe pipe;
    pipe.close_reader();
    MetricsRegistry registry(LabelSets{});
    LogSink sink(LogLevel::Info, pipe.writer());
    registry.watch(sink);
    sink.log(LogEvent::upstream_down, {});
    while (sink.dropped() == 0) std::this_thread::sleep_for(1ms);
    const std::string page = registry.scrape();
    EXPECT_THAT(page, HasSubstr("gatepost_log_messages_total{level=\"warning\"} 1\n"));
    EXPECT_THAT(page, HasSubstr("gatepost_log_messages_total{level=\"info\"} 0\n"));
    EXPECT_THAT(page, HasSubstr("gatepost_log_dropped_total{sink=\"stderr\"} 1\n"));
}

}  // namespace
}  // namespace gatepost::observe

// What it costs to tell of one message (every fact of a transaction counted, and its line in the log), and
// what a scrape of a big installation costs. CPU time.
//
//     build/release/metrics_bench
//
// Exit 1 when a message costs more than 3 us, or a scrape more than 5 ms. The log is /dev/null, and its
// writer's thread is not counted: it is not on the way of a session.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "proxy/server/fact_sink.h"

namespace gatepost {
namespace {

using smtp::Awaited;
using smtp::Verb;

constexpr double kMostOfMessage = 3000;    // nanoseconds
constexpr double kMostOfScrape = 5000000;  // nanoseconds
constexpr int kMessages = 20000;           // a run
constexpr int kRuns = 9;

std::int64_t cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// The cardinality that the budget of 3,000 series is for.
observe::LabelSets big_installation() {
    observe::LabelSets labels;
    labels.listeners = {"submission", "submissions", "devices"};
    labels.mechanisms = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
    labels.backends = {"local", "redis"};
    labels.upstreams = {"a", "b", "c"};
    for (std::uint32_t i = 0; i < 15; ++i)
        labels.endpoints.push_back(
            {observe::UpstreamIndex{i / 5}, "mta" + std::to_string(i) + ".internal:25"});
    labels.certificates = {"/etc/gatepost/tls/one.crt", "/etc/gatepost/tls/two.crt"};
    labels.limits = {"user-messages", "user-recipients", "ip-connections"};
    labels.workers = 4;
    return labels;
}

/// The facts of a message to two recipients, as a conversation reports them.
void tell_of_message(server::FactSink& facts, server::SessionContext& context, TimePoint now) {
    const auto take = [&](const session::Fact& fact) { facts.take(context, "alice@example.org", now, fact); };
    const auto command = [&](Verb verb, Awaited awaited, int code) {
        take(session::CommandTaken{});
        take(session::UpstreamAsked{awaited});
        facts.sent_upstream(context, 40);
        take(session::UpstreamReplied{awaited, code});
        take(session::CommandAnswered{verb, code});
    };
    take(session::MessageBegun{});
    take(session::UpstreamOpeningEnded{});
    command(Verb::kMail, Awaited::kMail, 250);
    for (int i = 0; i < 2; ++i) {
        command(Verb::kRcpt, Awaited::kRcpt, 250);
        take(session::RecipientAnswered{session::Result::kAccepted, session::Origin::kUpstream});
    }
    command(Verb::kData, Awaited::kData, 354);
    take(session::CommandCompleted{});
    take(session::UpstreamAsked{Awaited::kEndOfData});
    take(session::UpstreamReplied{Awaited::kEndOfData, 250});
    take(session::CommandAnswered{Verb::kData, 250});
    take(session::MessageEnded{.result = session::Result::kAccepted,
                               .origin = session::Origin::kUpstream,
                               .sender = "alice@example.org",
                               .recipients = 2,
                               .recipients_refused = 0,
                               .size = 4096,
                               .code = 250,
                               .reply = "2.0.0 Ok: queued as 4XyZ123abc",
                               .client_gone = false});
}

/// The best of some runs: what disturbs only ever adds.
template <typename Work>
double best_of_runs(int each, Work work) {
    double best = 1e18;
    for (int run = 0; run < kRuns; ++run) {
        const std::int64_t began = cpu_now();
        for (int i = 0; i < each; ++i) work();
        best = std::min(best, static_cast<double>(cpu_now() - began) / each);
    }
    return best;
}

struct NoActions final : session::Actions {
    void send_to_client(ByteView) override {}
    void send_to_upstream(ByteView) override {}
    void admit_client() override {}
    bool take_handshake_slot() override { return true; }
    void start_tls() override {}
    void ask_verifier(auth::Step) override {}
    void cancel_verifier() override {}
    void ask_limits(std::vector<policy::LimitQuestion>) override {}
    void forget_limits(std::vector<policy::LimitQuestion>) override {}
    void charge_limits(std::vector<policy::LimitQuestion>) override {}
    void open_upstream(const session::UpstreamWanted&) override {}
    void leave_upstream(session::UpstreamGoodbye) override {}
    void set_deadline(Duration) override {}
    void resume_client() override {}
    void report(const session::Fact&) override {}
    void close(session::CloseReason) override {}
};

int run() {
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    observe::LogSink log(conf::LogLevel::Info, null, {.buffer = std::size_t{256} * 1024 * 1024});
    observe::MetricsRegistry registry(big_installation());
    server::FactSink facts(log, registry, registry.add_worker());
    server::SessionContext context;
    context.id = "1b2c3d4e5f-0-1a2b";
    context.listener_name = "submission";
    context.client_ip = "192.0.2.77";
    context.upstream_name = "a";
    context.endpoint_name = "mta0.internal:25";

    // A client that does not pipeline: an event for each command and each reply, twelve in all.
    NoActions actions;
    const session::Settings settings;
    const session::Conversation conversation(settings, {}, actions);
    const TimePoint now = Clock::now();
    const double message = best_of_runs(kMessages, [&] {
        tell_of_message(facts, context, now);
        context.own_time.begin(now);
        for (int event = 0; event < 12; ++event) facts.event_over(context, now, conversation, false);
    });
    std::size_t octets = 0;
    const double scrape = best_of_runs(20, [&] { octets = registry.scrape().size(); });

    std::printf("counting and logging one message: %.0f ns (at most %.0f)\n", message, kMostOfMessage);
    std::printf("a scrape of %zu series, %zu octets: %.2f ms (at most %.0f)\n", registry.series(), octets,
                scrape / 1e6, kMostOfScrape / 1e6);
    std::printf("log lines dropped: %llu\n", static_cast<unsigned long long>(log.dropped()));
    ::close(null);
    return message <= kMostOfMessage && scrape <= kMostOfScrape ? 0 : 1;
}

}  // namespace
}  // namespace gatepost

int main() {
    return gatepost::run();
}

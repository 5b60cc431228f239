// gatepost-load: one measured run against one server, told as one JSON line. Warm-up, then the window that
// counts, then nothing; or, with --idle, sessions opened, held, measured and closed. One thread.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <openssl/crypto.h>

#include "tests/bench/load_client.h"
#include "tests/bench/load_options.h"
#include "tests/bench/process_meter.h"

namespace {

using namespace gatepost::bench;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kStep{0.01};        // how often a run by number of operations looks at the number
constexpr Seconds kIdleSettle{1.5};   // from the last AUTH to the look at the memory
constexpr unsigned kOpenAtOnce = 64;  // idle sessions that are being opened at a time
constexpr Seconds kPatience{60};
constexpr double kGib = 1024.0 * 1024 * 1024;

struct Sample {
    LoadClock::time_point at = LoadClock::now();
    std::chrono::nanoseconds server_cpu{};
    std::chrono::nanoseconds own_cpu{};
    std::uint64_t operations = 0;
};

std::uint64_t operations_of(const LoadOptions& options, const LoadResults& results) {
    if (options.idle > 0) return results.held;
    return options.messages_per_session > 1 ? results.messages : results.sessions;
}

Sample sample(const LoadOptions& options, const LoadResults& results) {
    Sample now;
    if (options.pid != 0) now.server_cpu = cpu_time_of_tree(options.pid);
    timespec own{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    now.own_cpu = std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec);
    now.operations = operations_of(options, results);
    now.at = LoadClock::now();
    return now;
}

double percentile(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto nth = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + nth, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(nth)]);
}

/// One JSON object on one line, field by field.
class JsonLine {
  public:
    void add(const char* name, double value, int digits) {
        char number[64];
        std::snprintf(number, sizeof number, "%.*f", digits, value);
        field(name) += number;
    }
    void add(const char* name, const std::string& value) {
        std::string& text = field(name) += '"';
        for (const char c : value)
            text += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32 ? '\'' : c;
        text += '"';
    }
    void print() const { std::printf("{%s}\n", text_.c_str()); }

  private:
    std::string& field(const char* name) {
        if (!text_.empty()) text_ += ',';
        return text_ += '"' + std::string(name) + "\":";
    }
    std::string text_;
};

struct Memory {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
};

void print(const LoadOptions& options, LoadResults& results, const Sample& from, const Sample& to,
           const Memory& memory) {
    const auto operations = static_cast<double>(to.operations - from.operations);
    const double seconds = Seconds(to.at - from.at).count();
    const double server_us =
        std::chrono::duration<double, std::micro>(to.server_cpu - from.server_cpu).count();
    const double own_us = std::chrono::duration<double, std::micro>(to.own_cpu - from.own_cpu).count();
    const double each = std::max(operations, 1.0);
    std::vector<float>& latencies =
        options.messages_per_session > 1 ? results.message_milliseconds : results.session_milliseconds;
    const auto size = static_cast<double>(options.size);
    JsonLine line;
    line.add("ops", operations, 0);
    line.add("errors", static_cast<double>(results.errors), 0);
    line.add("seconds", seconds, 3);
    line.add("rate", operations / seconds, 1);
    line.add("p50_ms", percentile(latencies, 0.5), 3);
    line.add("p99_ms", percentile(latencies, 0.99), 3);
    line.add("max_ms", percentile(latencies, 1), 3);
    line.add("mail_max_ms", percentile(results.mail_milliseconds, 1), 3);
    line.add("mail_us", percentile(results.mail_milliseconds, 0.5) * 1000, 1);
    line.add("cpu_us_per_op", server_us / each, 3);
    line.add("cpu_busy", server_us / 1e6 / seconds, 3);
    line.add("load_cpu_us_per_op", own_us / each, 3);
    if (options.idle == 0) {
        line.add("cpu_ms_per_gib", server_us / 1000 / std::max(operations * size, 1.0) * kGib, 3);
        line.add("mb_per_second", operations * size / 1e6 / seconds, 1);
    }
    line.add("pss_bytes", static_cast<double>(memory.after), 0);
    if (options.idle > 0) {
        const double growth = static_cast<double>(memory.after) - static_cast<double>(memory.before);
        line.add("pss_bytes_per_session", growth / each, 0);
    }
    line.add("all_sessions", static_cast<double>(results.sessions), 0);
    line.add("tls", results.tls);
    line.add("first_error", results.first_error);
    line.print();
}

ScriptText make_text(const LoadOptions& options) {
    ScriptText text;
    text.starttls = options.tls == LoadTls::kStartTls;
    text.hold = options.idle > 0;
    if (!options.user.empty()) text.set_credentials(options.user, options.password);
    if (!text.hold) text.set_message_size(options.size);
    if (options.pipeline) text.set_pipelined();
    return text;
}

int run_load(const LoadOptions& options) {
    LoadClient client(options, make_text(options));
    LoadResults& results = client.results();
    client.start(options.concurrency, true);
    client.run_for(Seconds(options.warmup));
    results.measuring = true;
    const Sample from = sample(options, results);
    if (options.operations == 0) {
        client.run_for(Seconds(options.seconds));
    } else {
        while (client.open() > 0 && operations_of(options, results) < from.operations + options.operations)
            client.run_for(kStep);
    }
    const Sample to = sample(options, results);
    results.measuring = false;
    if (options.operations != 0) {  // who counts system calls wants whole sessions
        client.stop_starting();
        client.run_for(kPatience);
    }
    const std::uint64_t pss = options.pid != 0 ? pss_of_tree(options.pid) : 0;
    print(options, results, from, to, {.before = 0, .after = pss});
    return results.errors == 0 && to.operations > from.operations ? 0 : 1;
}

int run_idle(const LoadOptions& options) {
    LoadClient client(options, make_text(options));
    LoadResults& results = client.results();
    results.measuring = true;
    Memory memory;
    if (options.pid != 0) memory.before = pss_of_tree(options.pid);
    const Sample from = sample(options, results);
    const auto give_up = LoadClock::now() + kPatience;
    for (unsigned opened = 0; opened < options.idle && results.errors == 0;) {
        const unsigned now = std::min(kOpenAtOnce, options.idle - opened);
        client.start(now, false);
        opened += now;
        while (results.held + results.errors < opened && LoadClock::now() < give_up)
            client.run_for(Seconds(0.002));
    }
    const Sample to = sample(options, results);
    client.run_for(kIdleSettle);  // notices who is thrown out
    if (options.pid != 0) memory.after = pss_of_tree(options.pid);
    results.measuring = false;
    client.leave_held();
    for (int i = 0; i < 100 && client.open() > 0; ++i) client.run_for(Seconds(0.1));
    results.errors += client.open();
    print(options, results, from, to, memory);
    return results.errors == 0 && results.sessions == options.idle ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse_load_options({argv + 1, static_cast<std::size_t>(argc - 1)});
    if (!options) {
        std::fprintf(stderr, "gatepost-load: %s\nTry --help.\n", options.error().c_str());
        return 2;
    }
    if (options->help) {
        std::fwrite(kLoadUsage.data(), 1, kLoadUsage.size(), stdout);
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    try {
        return options->idle > 0 ? run_idle(*options) : run_load(*options);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "gatepost-load: %s\n", problem.what());
        return 3;
    }
}

// gatepost-sink: the upstream of Gatepost's quickstart, tests and benches. Takes every message and, if asked,
// shows it, stores it or misbehaves. One thread.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/bench/sink_options.h"
#include "tests/bench/sink_server.h"
#include "tests/bench/sink_takers.h"

namespace {

volatile std::sig_atomic_t stop = 0;
volatile std::sig_atomic_t count = 0;

void on_signal(int number) {
    (number == SIGUSR1 ? count : stop) = 1;
}

void heed_signals() {
    struct sigaction action{};
    action.sa_handler = on_signal;  // without SA_RESTART, so that the wait ends
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGUSR1, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
}

int serve(const gatepost::bench::SinkOptions& options) {
    using namespace gatepost::bench;
    std::vector<std::unique_ptr<MessageTaker>> takers;
    if (!options.store.empty()) takers.push_back(make_store_taker(options.store));
    if (options.show) takers.push_back(make_show_taker());
    const std::unique_ptr<MessageTaker> taker = takers.empty() ? nullptr : make_all_taker(std::move(takers));

    SinkServer server(options, taker.get());
    const unsigned port = server.listen();
    if (port == 0) {
        std::fprintf(stderr, "gatepost-sink: cannot listen on %s:%u: %s\n", options.address.c_str(),
                     options.port, std::strerror(errno));
        return 3;
    }
    heed_signals();
    std::printf("listening %s:%u\n", options.address.c_str(), port);
    std::fflush(stdout);
    server.run(stop, count);
    server.tell("stopped after");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = gatepost::bench::parse_sink_options({argv + 1, static_cast<std::size_t>(argc - 1)});
    if (!options) {
        std::fprintf(stderr, "gatepost-sink: %s\nTry --help.\n", options.error().c_str());
        return 2;
    }
    if (options->help) {
        std::fwrite(gatepost::bench::kSinkUsage.data(), 1, gatepost::bench::kSinkUsage.size(), stdout);
        return 0;
    }
    try {
        return serve(*options);
    } catch (const std::exception& problem) {  // a folder that cannot be written
        std::fprintf(stderr, "gatepost-sink: %s\n", problem.what());
        return 3;
    }
}

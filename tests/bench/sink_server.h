// The sink's input and output: one listening socket and its connections on epoll, one read and one write for
// each batch of commands. Knows no SMTP. One thread; messages are taken on it.
#pragma once

#include <csignal>
#include <memory>

#include "tests/bench/sink_options.h"
#include "tests/bench/sink_session.h"

namespace gatepost::bench {

class SinkServer {
  public:
    /// `options` and `taker` (may be null) outlive the server.
    SinkServer(const SinkOptions& options, MessageTaker* taker);
    ~SinkServer();
    SinkServer(const SinkServer&) = delete;
    SinkServer& operator=(const SinkServer&) = delete;

    /// Binds and listens; the bound port, or 0 with errno set.
    [[nodiscard]] std::uint16_t listen();

    /// Serves until SIGTERM or SIGINT, whose handler sets `stop`. SIGUSR1, whose handler sets `count`, prints
    /// the counts.
    void run(const volatile std::sig_atomic_t& stop, volatile std::sig_atomic_t& count);

    /// Prints the counts behind `word`, as a line.
    void tell(const char* word) const;

  private:
    struct Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace gatepost::bench

// The load's input and output: many closed-loop SMTP sessions on epoll and OpenSSL, on one thread. Each slot
// runs one session after another; the clock of an operation runs from connect (or MAIL) to the last reply.
// Knows no statistics.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include "tests/bench/client_script.h"
#include "tests/bench/load_options.h"
#include "tests/bench/pacer.h"

namespace gatepost::bench {

using LoadClock = std::chrono::steady_clock;

/// What happened so far. Latencies are kept only while `measuring`.
struct LoadResults {
    bool measuring = false;
    std::uint64_t sessions = 0;
    std::uint64_t messages = 0;
    std::uint64_t errors = 0;
    std::uint64_t held = 0;
    std::vector<float> session_milliseconds;
    std::vector<float> message_milliseconds;
    std::vector<float> mail_milliseconds;  ///< from MAIL to its reply
    std::string first_error;
    std::string tls;  ///< version, cipher suite and group of the first handshake
};

class LoadClient {
  public:
    /// `options` outlive the client. `text.hold` decides whether sessions are held after AUTH.
    LoadClient(const LoadOptions& options, ScriptText text);
    ~LoadClient();
    LoadClient(const LoadClient&) = delete;
    LoadClient& operator=(const LoadClient&) = delete;

    /// Starts `count` slots. A slot starts its next session when one ends, while `again` holds. The first
    /// sessions are of different lengths, so that the slots do not begin their sessions in step.
    void start(unsigned count, bool again);
    /// Runs the sessions for at most `limit`, or until nothing is open.
    void run_for(std::chrono::duration<double> limit);
    /// No session follows on one that ends; those that run go on.
    void stop_starting() { again_ = false; }
    /// Sends QUIT in each held session.
    void leave_held();

    [[nodiscard]] LoadResults& results() { return results_; }
    [[nodiscard]] std::size_t open() const { return open_; }

  private:
    struct Slot;

    void open_session(Slot& slot);
    void end_session(Slot& slot);
    void fail(Slot& slot, const std::string& why);
    void on_ready(Slot& slot, std::uint32_t events);
    void shake_hands(Slot& slot);
    void read_replies(Slot& slot);
    bool take_lines(Slot& slot);
    void write_some(Slot& slot);
    void act(Slot& slot, const ScriptStep& step);
    void watch(Slot& slot, std::uint32_t events) const;
    void begin_due();

    const LoadOptions& options_;
    ScriptText text_;
    Pacer pacer_;
    LoadResults results_;
    SSL_CTX* tls_context_ = nullptr;
    int epoll_ = -1;
    bool again_ = false;
    std::size_t open_ = 0;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::deque<Slot*> idle_;  ///< of a paced load: in a session, until the next message is due
};

}  // namespace gatepost::bench

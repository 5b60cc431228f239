// How the process ends: step by step, so that nobody's message is lost and nobody is reset. Knows when each
// step is due and says so in the log; what a step does is its host's. Knows no clock: time is told. Main
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/observe/log_sink.h"

namespace gatepost::server {

/// What a drain asks of the process. Outlives it.
class DrainHost {
  public:
    struct Times {
        Duration delay{};    ///< still accepting
        Duration timeout{};  ///< then: for transactions to finish
        Duration answer{};   ///< then: for the answers of upstreams to whole messages
    };

    virtual ~DrainHost() = default;
    /// As configured when the drain begins.
    [[nodiscard]] virtual Times drain_times() const = 0;
    /// Not ready any more; whoever comes is still served.
    virtual void announce_drain() = 0;
    /// Nobody new: who waits at the doors is let in, then they are closed. Each session ends where no
    /// transaction is cut by it.
    virtual void close_doors() = 0;
    /// Ends every session but those whose message is whole and awaits its answer: that decides whether it
    /// exists (decisions 7).
    virtual void cut_sessions() = 0;
    /// Ends all, whatever is under way. May come before close_doors(), and then does its part, too.
    virtual void cut_everything() = 0;
    [[nodiscard]] virtual std::size_t sessions() const = 0;
    /// Those that were cut.
    [[nodiscard]] virtual std::size_t sessions_cut() const = 0;
    /// Nothing is left: no session, none on its way to a worker, no last word that is not sent yet.
    [[nodiscard]] virtual bool is_quiet() const = 0;
    /// Calls wake() then; an earlier call is forgotten.
    virtual void wake_drain_in(Duration delay) = 0;
    virtual void end_process() = 0;
};

class Drain {
  public:
    enum class State {
        kServing,
        kAnnounced,        ///< not ready, still accepting: load balancers look elsewhere
        kFinishing,        ///< doors closed, transactions finish
        kAwaitingAnswers,  ///< the time is over; only answers of upstreams are waited for
        kCutting,          ///< everything was ended; last words
        kTelling,          ///< who asked is being told
        kOver,
    };

    /// Whether the process is quiet is looked at so often.
    static constexpr std::chrono::milliseconds kLookEvery{50};
    /// For sessions to write their last line when they are ended at once.
    static constexpr std::chrono::seconds kLastWords{1};
    /// For operators to get their answer.
    static constexpr std::chrono::milliseconds kAnswerTime{200};

    Drain(DrainHost& host, observe::LogSink& log) : host_(host), log_(log) {}
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;

    /// The first one begins the drain, or finds it begun by ask() and changes nothing; the second ends at
    /// once.
    void on_signal(std::string_view name, TimePoint now);
    /// An operator asks for it. `told` when nothing is left, just before the process ends; it may be empty.
    void ask(std::function<void()> told, TimePoint now);
    void wake(TimePoint now);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] bool has_begun() const noexcept { return state_ != State::kServing; }
    /// What the process ends by, in a word.
    [[nodiscard]] std::string_view reason() const noexcept { return has_signal_ ? "signal" : "drain"; }

  private:
    void begin(std::string_view trigger, std::string_view signal, TimePoint now);
    void finish_sessions(TimePoint now);
    void expire();
    void cut(std::string_view why, TimePoint now);
    void end(TimePoint now);
    void log_step(std::string_view what);

    DrainHost& host_;
    observe::LogSink& log_;
    State state_ = State::kServing;
    bool has_signal_ = false;
    std::vector<std::function<void()>> told_;
    DrainHost::Times times_;
    TimePoint began_;
    TimePoint until_;  ///< when the state ends, whatever is left
};

}  // namespace gatepost::server

#include "proxy/server/drain.h"

#include <utility>

namespace gatepost::server {

using conf::LogEvent;
using conf::LogField;

void Drain::on_signal(std::string_view name, TimePoint now) {
    const bool is_first = !std::exchange(has_signal_, true);
    const auto say = [&](std::string_view what) {
        log_.log(LogEvent::signal, {{LogField::signal, name}, {LogField::what, what}});
    };
    if (state_ == State::kServing) {
        say("draining");
        return begin("signal", name, now);
    }
    if (is_first) return say("draining");
    say("ending now");
    cut("a second signal: everything ends now", now);
}

void Drain::ask(std::function<void()> told, TimePoint now) {
    if (told) told_.push_back(std::move(told));
    if (state_ == State::kServing) begin("api", "", now);
}

void Drain::begin(std::string_view trigger, std::string_view signal, TimePoint now) {
    state_ = State::kAnnounced;
    began_ = now;
    times_ = host_.drain_times();
    log_.log(LogEvent::drain, {{LogField::trigger, trigger},
                               {LogField::signal, signal},
                               {LogField::sessions, host_.sessions()},
                               {LogField::what, "not ready any more; still accepting for drain.delay"}});
    host_.announce_drain();
    host_.wake_drain_in(times_.delay);
}

void Drain::wake(TimePoint now) {
    switch (state_) {
        case State::kServing:
        case State::kOver: return;
        case State::kAnnounced: return finish_sessions(now);
        case State::kTelling: state_ = State::kOver; return host_.end_process();
        case State::kFinishing:
            if (host_.is_quiet()) return end(now);
            if (now >= until_) expire();
            break;
        case State::kAwaitingAnswers:
            if (host_.is_quiet()) return end(now);
            if (now >= until_) return cut("upstreams did not answer in time", now);
            break;
        case State::kCutting:
            if (host_.is_quiet() || now >= until_) return end(now);
            break;
    }
    host_.wake_drain_in(kLookEvery);
}

void Drain::finish_sessions(TimePoint now) {
    state_ = State::kFinishing;
    until_ = now + times_.timeout;
    log_step("no new sessions; those that are end between transactions");
    host_.close_doors();
    host_.wake_drain_in(kLookEvery);
}

void Drain::expire() {
    state_ = State::kAwaitingAnswers;
    until_ += times_.answer;
    log_step("drain.timeout is over: sessions are cut, but for answers to whole messages");
    host_.cut_sessions();
}

void Drain::cut(std::string_view why, TimePoint now) {
    if (state_ == State::kTelling || state_ == State::kOver) return;
    state_ = State::kCutting;
    until_ = now + kLastWords;
    log_step(why);
    host_.cut_everything();
    host_.wake_drain_in(Duration::zero());
}

void Drain::end(TimePoint now) {
    log_.log(LogEvent::drained,
             {{LogField::sessions, host_.sessions_cut()}, {LogField::duration, now - began_}});
    state_ = State::kTelling;
    for (const std::function<void()>& told : told_) told();
    host_.wake_drain_in(told_.empty() ? Duration::zero() : Duration(kAnswerTime));
}

void Drain::log_step(std::string_view what) {
    log_.log(LogEvent::drain, {{LogField::sessions, host_.sessions()}, {LogField::what, what}});
}

}  // namespace gatepost::server

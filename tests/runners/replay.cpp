#include "tests/runners/replay.h"

#include <chrono>
#include <utility>

#include "proxy/base/printable.h"
#include "tests/fakes/fake_actions.h"
#include "tests/fakes/fake_opener.h"
#include "tests/runners/limits_text.h"
#include "tests/runners/own_reply.h"
#include "tests/runners/session_settings.h"
#include "tests/runners/verdict_text.h"

namespace gatepost::test {
namespace {

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(1);

class Replay {
  public:
    Replay(const Transcript& transcript, const Delivery& delivery)
        : transcript_(transcript),
          delivery_(delivery),
          settings_(settings_of(transcript)),
          conversation_(settings_.session, settings_.client, actions_) {}

    Replayed run() {
        for (const std::string& problem : transcript_.problems) differs(problem);
        for (const std::string& problem : settings_.problems) differs(problem);
        for (std::size_t i = 0; i < transcript_.steps.size() && result_.differences.empty();) i = take(i);
        if (result_.differences.empty()) end();
        return std::move(result_);
    }

  private:
    /// One step, or all steps that are sent at once; returns the index behind them.
    std::size_t take(std::size_t i) {
        step_ = &transcript_.steps[i];
        const Step::Kind kind = step_->kind;
        switch (kind) {
            case Step::Kind::kClientSends:
            case Step::Kind::kUpstreamSays: {
                std::string block;
                for (; i < transcript_.steps.size() && transcript_.steps[i].kind == kind; ++i)
                    block += transcript_.steps[i].octets;
                nothing_left();
                if (kind == Step::Kind::kUpstreamSays) own_replies_.upstream_says(block);
                deliver(block, kind == Step::Kind::kClientSends);
                return i;
            }
            case Step::Kind::kClientHears: line(actions_.to_client, "the client"); break;
            case Step::Kind::kReply: reply(); break;
            case Step::Kind::kUpstreamHears: line(actions_.to_upstream, "the upstream"); break;
            case Step::Kind::kUpstreamReads: octets(actions_.to_upstream, "the upstream"); break;
            case Step::Kind::kClientReads: octets(actions_.to_client, "the client"); break;
            case Step::Kind::kFact: fact(); break;
            case Step::Kind::kEvent: event(step_->octets); break;
        }
        return i + 1;
    }

    void deliver(const std::string& block, bool from_client) {
        deadlines_before_ = actions_.deadlines_set;
        std::size_t done = 0;
        for (const std::size_t size : delivery_(octets_, block.size())) {
            const std::string piece = block.substr(done, size);
            done += size;
            if (from_client) {
                unread_ += piece;
                show_to_conversation();
            } else {
                upstream_unread_ += piece;
                show_upstream();
            }
            resume();
        }
        octets_ += block.size();
        result_.blocks.push_back(block.size());
    }

    void show_to_conversation() {
        const std::vector<char> view(unread_.begin(), unread_.end());  // ASan sees a look behind it
        const std::size_t consumed =
            conversation_.on(session::BytesFromClient{ByteView(view.data(), view.size()), kNow});
        if (consumed > unread_.size()) return differs("consumed more than there was");
        unread_.erase(0, consumed);
    }

    void show_upstream() {
        if (!actions_.upstream_open) return upstream_unread_.clear();
        const std::vector<char> octets(upstream_unread_.begin(), upstream_unread_.end());
        const ByteView view(octets.data(), octets.size());
        const std::size_t consumed =
            opener_.is_opening() ? opener_.take(view) : conversation_.on(session::BytesFromUpstream{view});
        if (consumed > upstream_unread_.size()) return differs("consumed more than there was");
        upstream_unread_.erase(0, consumed);
    }

    /// What the owner of the sockets does after each event.
    void resume() {
        while (std::exchange(actions_.resumed, false)) {
            if (!unread_.empty()) show_to_conversation();
        }
        if (!actions_.upstream_open) upstream_unread_.clear();
        for (const std::string& misuse : actions_.misuse) differs(misuse);
        actions_.misuse.clear();
    }

    void line(std::string& from, const std::string& who) {
        const std::size_t end = from.find(kCrlf);
        if (end == std::string::npos) return differs(who + " hears nothing more", from);
        const std::string heard = from.substr(0, end);
        const std::optional<std::string> words =
            step_->kind == Step::Kind::kClientHears ? own_replies_.words_of(heard) : heard;
        if (!words) return wrongly_named(heard);
        if (!step_->pattern.matches(*words)) return differs(who + " hears", heard);
        from.erase(0, end + 2);
    }

    void reply() {
        std::string& from = actions_.to_client;
        for (;;) {
            const std::size_t end = from.find(kCrlf);
            if (end == std::string::npos || !from.starts_with(step_->octets))
                return differs("the client hears", from);
            const bool last = from.substr(step_->octets.size(), 1) != "-";
            if (!own_replies_.words_of(from.substr(0, end))) return wrongly_named(from.substr(0, end));
            from.erase(0, end + 2);
            if (last) return;
        }
    }

    void wrongly_named(const std::string& line) {
        differs("it names the session and must not, or does not and must", line);
    }

    void octets(std::string& from, const std::string& who) {
        if (!from.starts_with(step_->octets)) return differs(who + " reads", from);
        from.erase(0, step_->octets.size());
    }

    void fact() {
        for (; facts_seen_ < actions_.facts.size(); ++facts_seen_) {
            if (step_->pattern.matches(actions_.facts[facts_seen_])) {
                ++facts_seen_;
                return;
            }
        }
        std::string all;
        for (const std::string& fact : actions_.facts) all += "\n    " + fact;
        differs("no further fact is like this among:" + all);
    }

    void event(const std::string& text) {
        const auto is = [&](std::string_view start) { return text.starts_with(start); };
        if (is("upstream wanted"))
            return expect(std::exchange(opens_, actions_.opens) + 1 == actions_.opens,
                          "no upstream is wanted");
        if (is("admitted"))
            return expect(std::exchange(actions_.admitted, 0) == 1, "the client is not admitted");
        if (is("upstream returned"))
            return expect(std::exchange(returns_, actions_.returns) < actions_.returns,
                          "the upstream is not given back");
        if (is("upstream read some of it")) return some_of_it();
        if (is("upstream dropped")) return goodbye(session::UpstreamGoodbye::kAbort);
        if (is("upstream released")) return goodbye(session::UpstreamGoodbye::kQuit);
        if (is("closed ")) return closed(text.substr(7));
        if (is("deadline kept"))
            return expect(actions_.deadlines_set == deadlines_before_, "there is a new deadline");
        if (is("step ")) return asked(text.substr(5));
        if (is("limits asked ")) return limits_asked(text.substr(13));
        if (is("limits charged ")) return limits_charged(text.substr(15));
        if (is("limits forgotten "))
            return expect(keys_of(std::exchange(actions_.limits_forgotten, {})) == text.substr(17),
                          "other limits are forgotten");
        if (is("upstream reused")) {
            expect(std::exchange(opens_, actions_.opens) + 1 == actions_.opens, "no upstream is wanted");
            if (!opener_.is_opening() || actions_.wants_new) return differs("a used upstream will not do");
            nothing_left();
            returns_ = actions_.returns;
            opener_.reuse();
            return resume();
        }
        nothing_left();
        if (is("arrive")) {
            conversation_.on(session::ClientArrived{});
        } else if (is("connect")) {
            conversation_.on(session::ClientConnected{text == "connect tls", settings_.offer});
        } else if (is("verdict ")) {
            verdict(text.substr(8));
        } else if (is("limits answer ")) {
            limits_answer(text.substr(14));
        } else if (is("timer ")) {
            timer(text.substr(6));
        } else if (is("tls established")) {
            expect(std::exchange(handshakes_, actions_.handshakes) + 1 == actions_.handshakes,
                   "no handshake was begun");
            conversation_.on(session::TlsEstablished{settings_.offer});
        } else if (is("upstream lost")) {
            lose();
        } else if (is("upstream unreachable")) {
            fail_to_open(session::UpstreamOutcome::kUnreachable);
        } else if (is("upstream busy")) {
            fail_to_open(session::UpstreamOutcome::kBusy);
        } else if (is("upstream secured")) {
            if (!opener_.is_securing()) return differs("no handshake with the upstream was begun");
            opener_.secured();
        } else if (is("upstream tls failed")) {
            fail_to_open(session::UpstreamOutcome::kTlsFailed);
        } else if (is("client closed")) {
            conversation_.on(session::ClientClosed{});
        } else if (is("drain")) {
            conversation_.on(session::DrainRequested{});
        } else if (is("kick")) {
            conversation_.on(session::KickRequested{});
        } else if (is("handshakes ")) {
            actions_.handshakes_allowed = text == "handshakes allowed";
        } else {
            differs("there is no such event");
        }
        resume();
    }

    /// How much of a message went on before it was refused depends on how it arrived; that it did not end
    /// does not.
    void some_of_it() {
        if (("\r\n" + actions_.to_upstream).find("\r\n.\r\n") != std::string::npos)
            differs("the message was ended", actions_.to_upstream);
        actions_.to_upstream.clear();
    }

    void lose() {
        if (opener_.is_opening()) return opener_.fail(session::UpstreamOutcome::kLost);
        expect(actions_.upstream_open, "there is no upstream to lose");
        conversation_.on(session::UpstreamLost{});
    }

    void fail_to_open(session::UpstreamOutcome how) {
        if (!opener_.is_opening()) return differs("no upstream is being opened");
        opener_.fail(how);
    }

    void goodbye(session::UpstreamGoodbye how) {
        if (goodbyes_ == actions_.goodbyes.size()) return differs("the upstream is kept");
        expect(actions_.goodbyes[goodbyes_++] == how, "the upstream goes the other way");
    }

    void closed(const std::string& reason) {
        if (actions_.closes.empty()) return differs("the session goes on");
        close_told_ = true;
        if (to_text(actions_.closes.front()) != reason)
            differs("it was closed for", std::string(to_text(actions_.closes.front())));
    }

    /// "PLAIN \0fred\0secret", or "LOGIN (nothing)" where no initial response was sent.
    void asked(const std::string& expected) {
        if (!actions_.asked) return differs("the verifier was not asked");
        const auto& message = actions_.asked->message;
        const std::string now =
            actions_.asked->mechanism + ' ' + (message ? std::string(message->reveal()) : "(nothing)");
        if (now != expected) differs("the verifier is asked", now);
    }

    void limits_asked(const std::string& expected) {
        if (!actions_.limits_asked) return differs("the limits were not asked");
        const std::string now = keys_of(*actions_.limits_asked);
        if (now != expected) differs("the limits are asked", now);
    }

    void limits_charged(const std::string& expected) {
        const std::string now = keys_of(std::exchange(actions_.limits_charged, {}));
        if (now != expected) differs("the limits are charged", now);
    }

    void limits_answer(const std::string& text) {
        if (!actions_.limits_asked) return differs("the limits were not asked");
        const std::size_t questions = std::exchange(actions_.limits_asked, std::nullopt)->size();
        std::optional<policy::LimitAnswers> answers = limit_answers_of(text, questions);
        if (!answers) return differs("there are no such answers");
        conversation_.on(session::LimitsAnswered{std::move(*answers)});
    }

    void verdict(const std::string& text) {
        if (!actions_.asked) return differs("the verifier was not asked");
        const std::string mechanism = std::exchange(actions_.asked, std::nullopt)->mechanism;
        std::optional<auth::Verdict> verdict = verdict_of(text, mechanism);
        if (!verdict) return differs("there is no such verdict");
        if (verdict->outcome == auth::Outcome::kAccepted) verdict->identity.senders = settings_.user_senders;
        conversation_.on(session::VerdictArrived{std::move(*verdict)});
    }

    /// The deadline that is set now, by the name of its setting; "NAME stuck" where the upstream takes no
    /// octets.
    void timer(const std::string& text) {
        const bool stuck = text.ends_with(" stuck");
        const std::string name = stuck ? text.substr(0, text.size() - 6) : text;
        const Duration expected = duration_named(settings_.session, name);
        const std::optional<Duration> deadline = std::exchange(actions_.deadline, std::nullopt);
        if (deadline != expected) {
            const auto seconds =
                deadline ? std::chrono::duration_cast<std::chrono::milliseconds>(*deadline).count() : -1;
            return differs("the deadline is", std::to_string(seconds) + " ms");
        }
        conversation_.on(session::TimerFired{stuck});
    }

    /// Everything that was said has been told before something new happens.
    void nothing_left() {
        if (!result_.differences.empty()) return;
        if (!actions_.to_client.empty()) differs("before this, the client heard", actions_.to_client);
        if (!actions_.to_upstream.empty()) differs("before this, the upstream heard", actions_.to_upstream);
        if (!actions_.limits_charged.empty())
            differs("before this, the limits were charged", keys_of(actions_.limits_charged));
        if (actions_.admitted != 0) differs("before this, the client was admitted");
        if (!actions_.limits_forgotten.empty())
            differs("before this, limits were forgotten", keys_of(actions_.limits_forgotten));
        if (opens_ != actions_.opens) differs("before this, an upstream was wanted");
        if (goodbyes_ != actions_.goodbyes.size()) differs("before this, the upstream was dropped");
        if (!actions_.closes.empty() && !close_told_)
            differs("before this, the session was closed", std::string(to_text(actions_.closes.front())));
    }

    void end() {
        nothing_left();
        if (actions_.asked) differs("the verifier still owes a verdict");
        if (actions_.limits_asked && actions_.closes.empty()) differs("the limits still owe an answer");
        if (actions_.closes.empty()) conversation_.on(session::ClientClosed{});
        if (conversation_.state() == session::State::kAwaitingFinal)
            conversation_.on(session::UpstreamLost{});
        if (actions_.closes.size() != 1)
            differs("closed " + std::to_string(actions_.closes.size()) + " times");
        if (actions_.upstream_open) differs("an upstream is left behind");
        if (actions_.asked) differs("a step is left with the verifier");
    }

    void expect(bool held, const std::string& otherwise) {
        if (!held) differs(otherwise);
    }

    void differs(const std::string& what, const std::string& now = {}) {
        std::string text = step_ != nullptr ? step_->where + ": " + step_->text + "\n  but " : "";
        text += what;
        if (!now.empty()) text += ": \"" + printable(now, 600) + '"';
        result_.differences.push_back(text);
    }

    const Transcript& transcript_;
    const Delivery& delivery_;
    const SessionSettings settings_;
    FakeActions actions_;
    session::Conversation conversation_;
    FakeOpener opener_{conversation_, actions_, settings_.opening};
    OwnReplies own_replies_{settings_.client.session_id};
    const Step* step_ = nullptr;
    std::string unread_;
    std::string upstream_unread_;
    std::size_t octets_ = 0;
    std::size_t facts_seen_ = 0;
    std::size_t goodbyes_ = 0;
    int opens_ = 0;
    int returns_ = 0;
    int handshakes_ = 0;
    int deadlines_before_ = 0;  ///< before the block that was delivered last
    bool close_told_ = false;
    Replayed result_;
};

}  // namespace

Replayed replay(const Transcript& transcript, const Delivery& delivery) {
    return Replay(transcript, delivery).run();
}

Delivery whole() {
    return [](std::size_t, std::size_t size) { return std::vector<std::size_t>{size}; };
}

}  // namespace gatepost::test

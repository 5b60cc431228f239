// A conversation under any interleaving of client octets, upstream octets, verdicts, timers and losses.
// Whatever happens: nothing unfinished ends as a message upstream, no client hears 250 to data that the
// upstream did not accept, a session is closed once, and what is said is bounded by what was heard.
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "proxy/session/conversation.h"
#include "tests/fakes/fake_actions.h"
#include "tests/fakes/fake_opener.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proxy/smtp/body_model.h"

namespace {

using namespace gatepost;
using session::State;

/// Follows what the upstream is sent, in the order in which it happens, as any server would understand it.
class Watch : public test::FakeActions {
  public:
    void send_to_upstream(ByteView octets) override {
        FakeActions::send_to_upstream(octets);
        if (!in_data_) return;
        data_ += octets;
        const test::BodyStory story = test::data_story(data_);
        fuzz::require(story.end != test::BodyStory::End::kRefusedOpen,
                      "no bare CR or LF reaches an upstream");
        fuzz::require(story.end != test::BodyStory::End::kRefusedEndMark,
                      "no bare CR or LF reaches an upstream");
        if (story.end != test::BodyStory::End::kEndMark) return;
        fuzz::require(story.taken == data_.size(), "nothing is sent behind an end mark before its answer");
        in_data_ = false;
        ++ended_;
    }
    void report(const session::Fact& fact) override {
        FakeActions::report(fact);
        const std::string text = test::to_text(fact);
        if (text.starts_with("reply DATA ")) {
            in_data_ = text == "reply DATA 354";
            data_.clear();
        }
        if (text.starts_with("reply EOD 2") || text.starts_with("reply BDAT 2")) ++accepted_;
        if (!text.starts_with("message accepted")) return;
        fuzz::require(text.starts_with("message accepted upstream"), "only the upstream accepts");
        fuzz::require(accepted_ > 0, "a message is accepted only after the upstream's own 2xx");
        accepted_ = 0;
    }
    void leave_upstream(session::UpstreamGoodbye how) override {
        FakeActions::leave_upstream(how);
        if (in_data_) fuzz::require(how == session::UpstreamGoodbye::kAbort, "unfinished data ends abruptly");
        in_data_ = false;
    }

    /// Messages whose end mark was sent.
    [[nodiscard]] std::size_t ended() const { return ended_; }

    void charge_limits(std::vector<policy::LimitQuestion> questions) override {
        for (const policy::LimitQuestion& question : questions) give_back(question);
        FakeActions::charge_limits(std::move(questions));
    }
    /// The store has counted it.
    void counted(const policy::LimitQuestion& question) { counts_[question.key.text] += question.events; }
    [[nodiscard]] std::uint64_t count_of(const std::string& key) { return counts_[key]; }

  private:
    void give_back(const policy::LimitQuestion& question) {
        using policy::Counting;
        if (question.counting != Counting::kReturn && question.counting != Counting::kLeave) return;
        std::uint64_t& count = counts_[question.key.text];
        fuzz::require(question.events <= count, "no more is given back than was counted");
        count -= question.events;
    }

    std::map<std::string, std::uint64_t> counts_;
    bool in_data_ = false;
    std::string data_;
    std::size_t ended_ = 0;
    std::size_t accepted_ = 0;
};

policy::LimitRule rule(const char* name, policy::Counted counted, policy::LimitScope scope,
                       policy::LimitAction action) {
    policy::LimitRule made;
    made.name = name;
    made.counted = counted;
    made.scope = scope;
    made.rate = {.count = 5, .per = std::chrono::hours(1), .burst = 5, .debt = 0};
    made.action = action;
    return made;
}

policy::Limits some_limits() {
    using policy::Counted;
    using policy::LimitAction;
    using policy::LimitScope;
    return policy::Limits({
        rule("here", Counted::kSessions, LimitScope::kIp, LimitAction::kDelay),
        rule("logins", Counted::kSessions, LimitScope::kUser, LimitAction::kDefer),
        rule("attempts", Counted::kAuthAttempts, LimitScope::kIp, LimitAction::kDelay),
        rule("failures", Counted::kAuthFailures, LimitScope::kUser, LimitAction::kClose),
        rule("messages", Counted::kMessages, LimitScope::kUser, LimitAction::kDelay),
        rule("domains", Counted::kMessages, LimitScope::kRecipientDomain, LimitAction::kReject),
        rule("recipients", Counted::kRecipients, LimitScope::kUser, LimitAction::kDefer),
        rule("octets", Counted::kBytes, LimitScope::kUser, LimitAction::kDefer),
    });
}

class Story {
  public:
    explicit Story(ByteView input) : input_(input) {
        settings_.hostname = "gate.example";
        const auto flags = static_cast<unsigned>(take());
        settings_.offers_tls = (flags & 1U) != 0;
        settings_.require_tls = (flags & 2U) != 0;
        settings_.require_auth = (flags & 4U) != 0;
        settings_.plaintext_without_tls = true;
        settings_.received_header = (flags & 8U) != 0;
        opening_.our_name = settings_.hostname;
        if ((flags & 32U) != 0) opening_.start_tls = smtp::StartTls::kIfOffered;
        if ((flags & 64U) != 0) opening_.start_tls = smtp::StartTls::kRequired;
        settings_.mechanisms = {"PLAIN", "LOGIN"};
        guessing_ = (flags & 16U) != 0;
        if (guessing_) {
            settings_.guessing = policy::Guessing({.per_ip = {{20, std::chrono::minutes(10)}},
                                                   .per_network = {},
                                                   .per_user_and_network = {{10, std::chrono::minutes(10)}},
                                                   .per_user_delay = std::chrono::seconds(5)});
        }
        limited_ = (flags & 128U) != 0;
        if (limited_) settings_.limits = some_limits();
        settings_.max_message_size = 300;
        settings_.max_recipients = 3;
        settings_.max_line_length = 128;
        conversation_.emplace(
            settings_,
            session::ClientFacts{.address = "192.0.2.7",
                                 .session_id = "s1",
                                 .peer = policy::PeerAddress::from_octets("\x7F\x01\x01\x07"),
                                 .is_trusted = false},
            actions_);
        opener_.emplace(*conversation_, actions_, opening_);
    }

    void run() {
        smtp::Capabilities offer;
        conversation_->on(session::ClientConnected{false, offer});
        after();
        while (!input_.empty() && actions_.closes.empty()) step();
        if (actions_.closes.empty()) conversation_->on(session::ClientClosed{});
        if (actions_.closes.empty()) conversation_->on(session::UpstreamLost{});
        after();
        fuzz::require(actions_.closes.size() == 1, "a session is closed once");
        fuzz::require(!actions_.upstream_open, "no upstream is left behind");
        fuzz::require(!actions_.asked, "no step is left with the verifier");
        fuzz::require(actions_.count_of("limit:here:127.1.1.7") == 0, "no session stays entered");
        fuzz::require(actions_.count_of("limit:logins:fred") == 0, "no login stays entered");
        const std::uint64_t charged = actions_.count_of("limit:messages:fred");
        fuzz::require(charged <= conversation_->messages(), "only what was accepted stays charged");
        const bool is_exact = limited_ && settings_.require_auth;
        fuzz::require(!is_exact || charged == conversation_->messages(), "and all of it does");
    }

  private:
    char take() {
        if (input_.empty()) return 0;
        const char c = input_.front();
        input_.remove_prefix(1);
        return c;
    }

    /// One line of the input: its first octet says what happens, the rest is what is said.
    void step() {
        const std::size_t end = std::min(input_.find('\x1E'), input_.size());
        const ByteView line = input_.substr(0, end);
        input_.remove_prefix(std::min(end + 1, input_.size()));
        if (line.empty()) return;
        const ByteView said = line.substr(1);
        switch (line.front()) {
            case 'C': client(said); break;
            case 'U': upstream(said); break;
            case 'V': verdict(said); break;
            case 'G': limits(said); break;
            case 'T': conversation_->on(session::TimerFired{said == "stuck"}); break;
            case 'L': lose(said); break;
            case 'H': handshake(); break;
            case 'S': secured(); break;
            case 'R': reuse(); break;
            case 'D': conversation_->on(session::DrainRequested{}); break;
            case 'K': conversation_->on(session::KickRequested{}); break;
            case 'X': conversation_->on(session::ClientClosed{}); break;
            default: client(line); break;
        }
        after();
    }

    /// One octet after the other, so that it is known which of them were message data.
    void client(ByteView said) {
        said_ += said.size();
        for (const char octet : said) {
            unread_ += octet;
            show();
        }
    }

    void show() {
        const State before = conversation_->state();
        const std::size_t ended = actions_.ended();
        const std::size_t consumed = conversation_->on(session::BytesFromClient{unread_, WallTime()});
        fuzz::require(consumed <= unread_.size(), "no more is consumed than was shown");
        if (before == State::kClosed) fuzz::require(consumed == 0, "a closed session reads nothing");
        if (before == State::kReceivingData) {
            client_data_.append(unread_, 0, consumed);
            const bool client_ended = test::data_story(client_data_).end == test::BodyStory::End::kEndMark;
            fuzz::require(actions_.ended() == ended || client_ended,
                          "an end mark goes upstream only where the client's data ended");
        } else {
            client_data_.clear();
        }
        unread_.erase(0, consumed);
    }

    void upstream(ByteView said) {
        if (!actions_.upstream_open || opener_->is_securing()) return;
        said_ += said.size();
        upstream_unread_ += said;
        const std::size_t consumed = opener_->is_opening()
                                         ? opener_->take(upstream_unread_)
                                         : conversation_->on(session::BytesFromUpstream{upstream_unread_});
        fuzz::require(consumed <= upstream_unread_.size(), "no more is consumed than was shown");
        upstream_unread_.erase(0, consumed);
    }

    void verdict(ByteView said) {
        if (!actions_.asked) return;
        const std::string mechanism = std::exchange(actions_.asked, std::nullopt)->mechanism;
        auth::Verdict verdict;
        verdict.outcome =
            static_cast<auth::Outcome>(said.empty() ? 1 : static_cast<unsigned char>(said.front()) % 6);
        verdict.challenge = said;
        verdict.is_guess = said.size() > 1;
        verdict.identity = {.user = "fred", .mechanism = mechanism, .backend = "local"};
        authenticated_ = authenticated_ || verdict.outcome == auth::Outcome::kAccepted;
        const bool is_guess = verdict.is_guess && (verdict.outcome == auth::Outcome::kUnavailable ||
                                                   verdict.outcome == auth::Outcome::kBusy);
        const bool rejected = verdict.outcome == auth::Outcome::kRejected || is_guess;
        conversation_->on(session::VerdictArrived{std::move(verdict)});
        fuzz::require(limited_ || actions_.limits_charged.empty() || rejected,
                      "only a refused password is charged");
        fuzz::require(!guessing_ || !rejected || !actions_.limits_charged.empty(), "and each of them is");
    }

    /// One octet an answer; what is missing is allowed.
    void limits(ByteView said) {
        if (!actions_.limits_asked) return;
        fuzz::require(guessing_ || limited_, "nothing is asked where there is no rule");
        const std::vector<policy::LimitQuestion> questions =
            *std::exchange(actions_.limits_asked, std::nullopt);
        session::LimitsAnswered answered;
        for (std::size_t i = 0; i < questions.size(); ++i) {
            const auto octet = i < said.size() ? static_cast<unsigned char>(said[i]) : 0U;
            switch (octet % 4) {
                case 0: answered.answers.emplace_back(policy::Allow{octet / 4}); break;
                case 1: answered.answers.emplace_back(policy::Refused{std::chrono::seconds(30), 20}); break;
                case 2: answered.answers.emplace_back(policy::Unavailable{}); break;
                case 3: break;  // too few answers
            }
        }
        count(questions, answered.answers);
        conversation_->on(answered);
    }

    /// As a store does: all of a batch, or nothing.
    void count(const std::vector<policy::LimitQuestion>& questions, const policy::LimitAnswers& answers) {
        const std::vector<policy::LimitQuestion> undone = policy::undo_of(questions, answers, {});
        for (const policy::LimitQuestion& undo : undone) actions_.counted(undo);
    }

    void lose(ByteView said) {
        if (!actions_.upstream_open) return;
        if (!opener_->is_opening()) return conversation_->on(session::UpstreamLost{});
        opener_->fail(said.empty() ? session::UpstreamOutcome::kLost : session::UpstreamOutcome::kBusy);
    }

    void secured() {
        if (opener_->is_securing()) opener_->secured();
    }

    /// The pool has one that others have used.
    void reuse() {
        if (opener_->is_opening() && !actions_.wants_new) opener_->reuse();
    }

    void handshake() {
        if (conversation_->state() != State::kAwaitingTls) return;
        conversation_->on(session::TlsEstablished{});
        authenticated_ = false;
        tls_ = true;
    }

    void after() {
        while (std::exchange(actions_.resumed, false)) {
            actions_.limits_charged.clear();  // for what was said before: the next line may be a guess too
            if (!unread_.empty()) show();
        }
        for (const std::string& misuse : actions_.misuse) fuzz::require(false, misuse.c_str());
        if (!actions_.upstream_open) upstream_unread_.clear();
        actions_.limits_charged.clear();
        fuzz::require(actions_.closes.size() <= 1, "a session is closed at most once");
        if (settings_.require_auth && !authenticated_ever())
            fuzz::require(actions_.opens == 0, "no upstream without AUTH");
        if (settings_.require_tls && !tls_) fuzz::require(actions_.opens == 0, "no upstream without TLS");
        fuzz::require(actions_.to_client.size() <= 4096 + 400 * said_,
                      "what is said is bounded by what was heard");
        fuzz::require(actions_.to_upstream.size() <= 4096 + 400 * said_,
                      "what is sent on is bounded by what was heard");
    }

    bool authenticated_ever() {
        ever_ = ever_ || authenticated_;
        return ever_;
    }

    ByteView input_;
    session::Settings settings_;
    Watch actions_;
    std::optional<session::Conversation> conversation_;
    smtp::OpeningSettings opening_;
    std::optional<test::FakeOpener> opener_;
    std::string unread_;
    std::string upstream_unread_;
    std::size_t said_ = 0;
    std::string client_data_;  ///< of the message being received
    bool guessing_ = false;
    bool limited_ = false;
    bool authenticated_ = false;
    bool ever_ = false;
    bool tls_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 8192) return 0;
    Story(fuzz::octets(data, size)).run();
    return 0;
}

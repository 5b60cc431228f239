// What a conversation wanted done, kept to be looked at. Nothing happens by itself: a test brings the next
// event.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/session/action.h"
#include "tests/fakes/fact_text.h"

namespace gatepost::test {

struct FakeActions : session::Actions {
    void send_to_client(ByteView octets) override { to_client += octets; }
    void send_to_upstream(ByteView octets) override {
        to_upstream += octets;
        if (!upstream_open) misuse.emplace_back("octets for an upstream that is not there");
    }
    void admit_client() override { ++admitted; }
    bool take_handshake_slot() override { return handshakes_allowed; }
    void start_tls() override { ++handshakes; }
    void ask_verifier(auth::Step step) override {
        if (asked) misuse.emplace_back("a second step before the verdict on the first");
        asked = std::move(step);
    }
    void cancel_verifier() override { asked.reset(); }
    void ask_limits(std::vector<policy::LimitQuestion> questions) override {
        limits_asked = std::move(questions);
    }
    void forget_limits(std::vector<policy::LimitQuestion> questions) override {
        if (!limits_asked) misuse.emplace_back("limits forgotten that were not asked");
        limits_asked.reset();
        limits_forgotten = std::move(questions);
    }
    void charge_limits(std::vector<policy::LimitQuestion> questions) override {
        limits_charged.insert(limits_charged.end(), questions.begin(), questions.end());
    }
    void open_upstream(const session::UpstreamWanted& wanted) override {
        if (upstream_open) misuse.emplace_back("a second upstream beside the first");
        upstream_open = true;
        upstream = wanted.upstream;
        wants_new = wanted.is_new;
        wanted_for = wanted.user;
        ++opens;
    }
    void leave_upstream(session::UpstreamGoodbye how) override {
        if (!upstream_open) misuse.emplace_back("an upstream left that is not there");
        upstream_open = false;
        if (how == session::UpstreamGoodbye::kReturn) {
            ++returns;
        } else {
            goodbyes.push_back(how);
        }
    }
    void set_deadline(Duration from_now) override {
        deadline = from_now;
        ++deadlines_set;
    }
    void resume_client() override { resumed = true; }
    void report(const session::Fact& fact) override {
        if (std::string text = to_text(fact); !text.empty()) facts.push_back(std::move(text));
    }
    void close(session::CloseReason reason) override { closes.push_back(reason); }

    std::string to_client;
    std::string to_upstream;
    std::optional<auth::Step> asked;                                 ///< the step that awaits its verdict
    std::optional<std::vector<policy::LimitQuestion>> limits_asked;  ///< and not answered
    std::vector<policy::LimitQuestion> limits_charged;
    std::vector<policy::LimitQuestion> limits_forgotten;
    std::optional<Duration> deadline;
    std::vector<session::UpstreamGoodbye> goodbyes;
    std::vector<session::CloseReason> closes;
    std::vector<std::string> facts;
    std::vector<std::string> misuse;  ///< what no conversation may do
    int admitted = 0;
    int handshakes = 0;
    int deadlines_set = 0;
    int opens = 0;
    int returns = 0;             ///< upstreams given back for others to use
    std::size_t upstream = 0;    ///< the one wanted last …
    bool wants_new = false;      ///< … which may not have been used
    std::string wanted_for;      ///< … and whose it is
    bool upstream_open = false;  ///< wanted or there
    bool resumed = false;
    bool handshakes_allowed = true;
};

}  // namespace gatepost::test

#include "proxy/commands/login_trial.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <openssl/rand.h>

#include "auth/cyrus/mechanism_client.h"
#include "auth/dialogue/exchange.h"
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/names.h"
#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/base/base64.h"
#include "proxy/base/printable.h"
#include "proxy/commands/auth_trace.h"
#include "proxy/commands/guessing_preview.h"
#include "proxy/commands/own_authenticators.h"
#include "proxy/commands/password_input.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/timer.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::commands {
namespace {

namespace replies = smtp::replies;
using auth::Outcome;

constexpr int kAccepted = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr int kCannot = 3;
constexpr ConnectionId kOurs{1};

std::string heard(const smtp::StaticReply& reply) {
    return std::to_string(reply.code) + " " + std::string(reply.enhanced) + " " + std::string(reply.text);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

/// One AUTH command between a client's side of a mechanism and the verifier, framed as SMTP frames it.
class Dialogue final : public auth::VerdictReceiver {
  public:
    Dialogue(const conf::Config& config, const std::string& user, std::string mechanism, net::EventLoop& loop,
             AuthTrace& trace)
        : config_(config),
          user_(user),
          loop_(loop),
          trace_(trace),
          exchange_(std::move(mechanism)),
          deadline_(loop, [this] {
              end(kCannot, "no answer within auth_timeout: " + heard(replies::kAuthUnavailable));
          }) {}

    /// The exit status. `client` speaks for the user.
    int run(auth::Verifier& verifier, auth::MechanismClient& client, auth::Channel channel) {
        verifier_ = &verifier;
        client_ = &client;
        Result<std::optional<Secret>> initial = client.start();
        if (!initial) {
            trace_.row("client", initial.error().message);
            end(kCannot, "nothing was asked");
        } else {
            std::optional<std::string> line;
            // The empty response is "=" (RFC 4954).
            if (*initial) line = (*initial)->empty() ? "=" : base64_encode((*initial)->reveal());
            trace_.row("client", "AUTH " + exchange_.mechanism() + (line ? " with an initial response" : ""));
            deadline_.start(config_.session.auth_timeout);
            auth::Turn turn = exchange_.begin(line);
            turn.step.channel = std::move(channel);
            if (line) wipe(line->data(), line->size());
            take(std::move(turn));
        }
        loop_.run();
        verifier.cancel(kOurs);
        return status_;
    }

    void on_verdict(ConnectionId /*id*/, auth::Verdict verdict) override {
        const std::string reason(auth::to_string(verdict.reason));
        const std::string who =
            verdict.identity.backend.empty() ? "" : " by backend " + printable(verdict.identity.backend, 64);
        switch (verdict.outcome) {
            case Outcome::kChallenge: return answer(verdict.challenge);
            case Outcome::kAccepted:
                return end(kAccepted, "accepted" + who + " as " + printable(verdict.identity.user) + ": " +
                                          heard(replies::kAuthenticated));
            case Outcome::kRejected: return refuse(verdict.reason, who);
            case Outcome::kMalformed:
                return end(kRefused, "malformed (" + reason + "): " + heard(replies::kMalformedResponse));
            case Outcome::kUnavailable:
            case Outcome::kBusy:
                return end(kCannot,
                           "not decided" + who + " (" + reason + "): " + heard(replies::kAuthUnavailable));
        }
    }

  private:
    void take(auth::Turn turn) {
        using Kind = auth::Turn::Kind;
        switch (turn.kind) {
            case Kind::kStep: return verifier_->step(kOurs, std::move(turn.step));
            case Kind::kUnacceptable: return refuse(turn.reason, "");
            case Kind::kCancelled:
            case Kind::kUndecodable:
            case Kind::kMalformed:
                return end(kRefused, "the message is not of the mechanism's form: " +
                                         heard(replies::kMalformedResponse));
        }
    }

    void answer(const std::string& challenge) {
        const Result<Secret> response = client_->step(challenge);
        if (!response) {
            trace_.row("client", response.error().message);
            return end(kRefused, "the client gives up: " + heard(replies::kCancelled));
        }
        trace_.row("client", "answers the challenge");
        std::string line = base64_encode(response->reveal());
        auth::Turn turn = exchange_.line(line);
        wipe(line.data(), line.size());
        // The verifier is still inside its own call.
        loop_.defer([this, turn = std::move(turn)]() mutable { take(std::move(turn)); });
    }

    void refuse(auth::Reason reason, const std::string& who) {
        const bool is_told = reason == auth::Reason::kDisabled && config_.auth.disabled_reply == 525;
        end(kRefused, "refused" + who + " (" + std::string(auth::to_string(reason)) +
                          "): " + heard(is_told ? replies::kAccountDisabled : replies::kInvalidCredentials) +
                          " after auth.failure_delay");
    }

    void end(int status, const std::string& text) {
        deadline_.stop();
        status_ = status;
        trace_.row("outcome", text);
        loop_.post([this] { loop_.stop(); });
    }

    const conf::Config& config_;
    const std::string& user_;
    net::EventLoop& loop_;
    AuthTrace& trace_;
    auth::Exchange exchange_;
    auth::Verifier* verifier_ = nullptr;
    auth::MechanismClient* client_ = nullptr;
    int status_ = kCannot;
    net::Timer deadline_;
};

/// What the channel of a good TLS connection would give, and a certificate that names the user.
auth::Channel make_channel(const std::string& mechanism, const std::string& user) {
    auth::Channel channel;
    if (mechanism == "EXTERNAL") channel.certificate_name = user;
    if (!mechanism.ends_with("-PLUS")) return channel;
    channel.exporter.resize(32);
    if (RAND_bytes(reinterpret_cast<unsigned char*>(channel.exporter.data()),
                   static_cast<int>(channel.exporter.size())) != 1)
        channel.exporter.clear();
    return channel;
}

/// PLAIN says the most about a password.
std::string choose_mechanism(const std::string& wanted, const std::vector<std::string>& offered) {
    if (wanted.empty()) return contains(offered, "PLAIN") || offered.empty() ? "PLAIN" : offered.front();
    std::string upper = wanted;
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return upper;
}

/// Logs in once everything is there.
int log_in(const AuthTest& test, const std::shared_ptr<const conf::Config>& config, const Secret& password,
           const std::string& wanted, std::ostream& out, std::ostream& err) {
    OwnAuthenticators own(config, conf::LogLevel::Warning);
    const std::vector<std::string> problems = own.start();
    for (const std::string& problem : problems) err << problem << '\n';
    if (!problems.empty()) return kCannot;
    const auth::ClientLibrary library;
    if (!library.is_usable()) {
        err << "gatepost auth test: libsasl's client cannot be started\n";
        return kCannot;
    }
    net::EventLoop& loop = own.loop;
    AuthTrace trace(out, loop);
    const auto write_rows = [&loop] {
        loop.post([&loop] { loop.stop(); });
        loop.run();
    };

    const std::vector<std::string>& servable = *own.authenticators.servable();
    const std::string mechanism = choose_mechanism(wanted, servable);
    if (!test.address.empty()) trace_guessing(*config, test.address, test.user, loop, trace);
    write_rows();
    if (!contains(servable, mechanism)) {
        trace.row("outcome",
                  printable(mechanism, 64) + " is not offered, " +
                      (contains(config->auth.mechanisms, mechanism) ? "not every backend can serve it: "
                                                                    : "it is not in auth.mechanisms: ") +
                      heard(replies::kUnknownMechanism));
        write_rows();
        return kRefused;
    }
    const bool is_plaintext = auth::is_plaintext(mechanism);
    trace.row("mechanism", mechanism + (is_plaintext && !config->auth.plaintext_without_tls
                                            ? ", offered on TLS connections only"
                                            : ", offered"));
    if (is_plaintext) trace.row("cache", "empty: this is a new process");

    auth::Channel channel = make_channel(mechanism, test.user);
    auth::MechanismClient client(mechanism, own.plan.hostname, test.user, password, channel);
    Dialogue dialogue(*config, test.user, mechanism, loop, trace);
    const auto verifier =
        own.authenticators.make_verifier(loop, dialogue, own.registry, own.registry.add_worker(), nullptr,
                                         [&trace](auto parts) { return trace.watch(std::move(parts)); });
    const int status = dialogue.run(*verifier, client, std::move(channel));
    own.authenticators.stop_pool();
    return status;
}

}  // namespace

int auth_test(const AuthTest& test, int input, std::ostream& out, std::ostream& err) {
    const conf::Loaded loaded =
        conf::load(test.config, conf::process_environment(), conf::Files::MayBeMissing);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return kRefused;
    }
    if (!auth::is_acceptable_name(test.user)) {
        err << "gatepost auth test: a name has 1 to 255 octets of UTF-8, no control characters and no blank "
               "at "
               "either end\n";
        return kUsage;
    }
    if (!test.address.empty() && !is_ip_address(test.address)) {
        err << "gatepost auth test: --ip is no IP address: " << printable(test.address, 64) << '\n';
        return kUsage;
    }
    const std::string mechanism = choose_mechanism(test.mechanism, {"PLAIN"});
    // Nobody's password plays a part in these.
    const bool has_password = mechanism != "EXTERNAL" && !mechanism.starts_with("GS");
    const Result<Secret> password = has_password ? read_password(input, false, err) : Secret();
    if (!password) {
        err << "gatepost auth test: " << password.error().message << '\n';
        return kUsage;
    }
    return log_in(test, *loaded, *password, test.mechanism, out, err);
}

}  // namespace gatepost::commands

#include "backends/saslauthd/saslauthd_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <sys/socket.h>
#include <utility>

#include "backends/saslauthd/saslauthd_protocol.h"
#include "proxy/base/printable.h"
#include "proxy/net/dialer.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"

namespace gatepost::backends {

namespace {

using auth::PasswordAnswer;
using Answer = std::move_only_function<void(PasswordAnswer)>;

/// RFC 6761: nobody can have it.
constexpr std::string_view kNobodysRealm = "no-such-realm.invalid";

PasswordAnswer answer_for(SaslauthdOutcome outcome) {
    switch (outcome) {
        case SaslauthdOutcome::kAccepted: return PasswordAnswer::kAccepted;
        case SaslauthdOutcome::kRefused:
        case SaslauthdOutcome::kIgnoresRealms:  // 454 would say that the password is right
        case SaslauthdOutcome::kPasswordTooLong: return PasswordAnswer::kRefused;
        case SaslauthdOutcome::kDeadline: return PasswordAnswer::kTimedOut;
        case SaslauthdOutcome::kTrouble:
        case SaslauthdOutcome::kConnectFailed:
        case SaslauthdOutcome::kClosed:
        case SaslauthdOutcome::kNonsense:
        case SaslauthdOutcome::kQueueFull:
        case SaslauthdOutcome::kCircuitOpen: break;
    }
    return PasswordAnswer::kUnavailable;
}

/// What the outcome says about the daemon, not about the password; nothing where it was not asked. "I could
/// not look" is an answer: one odd user must not shut everybody out.
std::optional<bool> daemon_is_well(SaslauthdOutcome outcome) {
    switch (outcome) {
        case SaslauthdOutcome::kAccepted:
        case SaslauthdOutcome::kRefused:
        case SaslauthdOutcome::kIgnoresRealms:
        case SaslauthdOutcome::kTrouble: return true;
        case SaslauthdOutcome::kConnectFailed:
        case SaslauthdOutcome::kClosed:
        case SaslauthdOutcome::kNonsense:
        case SaslauthdOutcome::kDeadline: return false;
        case SaslauthdOutcome::kPasswordTooLong:
        case SaslauthdOutcome::kQueueFull:
        case SaslauthdOutcome::kCircuitOpen: break;
    }
    return std::nullopt;
}

std::string reason_of(int error) {
    // What connect() says when nobody accepts from a full backlog: a daemon that is stopped or drowning.
    if (error == EAGAIN) return "too many connections wait to be accepted";
    return std::strerror(error);  // NOLINT(concurrency-mt-unsafe)
}

void post_answer(Executor& home, Answer answer, PasswordAnswer value) {
    home.post([answer = std::move(answer), value]() mutable { answer(value); });
}

}  // namespace

/// One password on its way: waiting for a slot, or on a connection of its own.
class SaslauthdClient::Check final : public net::TransportHandler {
  public:
    /// `other_realm`: the same question under a realm that nobody has; empty where no test is wanted.
    Check(SaslauthdClient& client, Secret request, Secret other_realm, bool is_probe, Executor& home,
          Answer answer)
        : client_(client),
          request_(std::move(request)),
          other_realm_(std::move(other_realm)),
          home_(home),
          answer_(std::move(answer)),
          deadline_(
              client.loop_,
              [this] { client_.end(*this, SaslauthdOutcome::kDeadline, has_begun_ ? "" : "still waiting"); }),
          begun_(client.loop_.now()),
          is_probe_(is_probe) {
        deadline_.start(client.settings_.deadline);
    }

    /// Connects and asks; a unix socket does both at once. Returns what failed.
    [[nodiscard]] std::optional<std::string> begin() {
        if (!has_begun_) asked_ = client_.loop_.now();
        has_begun_ = true;
        const Secret& request = phase_ == Phase::kUnderOtherRealm ? other_realm_ : request_;
        std::expected<net::UniqueFd, int> socket = net::dial(client_.settings_.socket);
        if (!socket) return reason_of(socket.error());
        // Before the transport has the socket, so that no buffer ever holds the password. A new socket takes
        // a request of this size whole.
        const ByteView octets = request.reveal();
        const ssize_t sent = ::send(socket->get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent < 0) return reason_of(errno);
        if (static_cast<std::size_t>(sent) != octets.size())
            return "the socket does not take a whole request";
        if (other_realm_.empty()) request_.clear();
        transport_ = std::make_unique<net::Transport>(client_.loop_, std::move(*socket), *this);
        transport_->start();
        return std::nullopt;
    }

    std::size_t on_bytes(net::Transport& /*transport*/, ByteView bytes) override {
        const SaslauthdReply reply = read_saslauthd_reply(bytes);
        const std::string text = printable(reply.text);
        switch (reply.kind) {
            case SaslauthdReply::Kind::kIncomplete: return 0;
            case SaslauthdReply::Kind::kAccepted:
                client_.end(*this, SaslauthdOutcome::kAccepted, text);
                break;
            case SaslauthdReply::Kind::kRefused: client_.end(*this, SaslauthdOutcome::kRefused, text); break;
            case SaslauthdReply::Kind::kTrouble: client_.end(*this, SaslauthdOutcome::kTrouble, text); break;
            case SaslauthdReply::Kind::kNonsense:
                client_.end(*this, SaslauthdOutcome::kNonsense, text);
                break;
        }
        return bytes.size();
    }
    void on_tls_established(net::Transport& /*transport*/) override {}
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause cause) override {
        const bool had_connected = cause != net::CloseCause::kConnectFailed;
        client_.end(*this, had_connected ? SaslauthdOutcome::kClosed : SaslauthdOutcome::kConnectFailed, "");
    }

    /// The questions of a test, each with a deadline of its own.
    enum class Phase { kFirst, kUnderOtherRealm, kOnceMore };

    /// To be begun again, with the next question. May be called inside one of its callbacks.
    void prepare_next_question() {
        transport_->close();
        client_.loop_.defer([over = std::move(transport_)] {});
        phase_ = phase_ == Phase::kFirst ? Phase::kUnderOtherRealm : Phase::kOnceMore;
        deadline_.start(client_.settings_.deadline);
    }
    [[nodiscard]] bool can_test() const noexcept { return !other_realm_.empty(); }
    [[nodiscard]] Phase phase() const noexcept { return phase_; }

    /// No callback follows, and the descriptor is free. The check itself may be inside one of its callbacks
    /// still.
    void finish(PasswordAnswer value) {
        deadline_.stop();
        if (transport_) transport_->close();
        request_.clear();
        other_realm_.clear();
        post_answer(home_, std::move(answer_), value);
    }

    [[nodiscard]] bool is_probe() const noexcept { return is_probe_; }
    /// False when it waited so long for a slot that little time was left for the answer.
    [[nodiscard]] bool gave_time() const noexcept {
        return has_begun_ && asked_ - begun_ <= client_.settings_.deadline / 2;
    }
    [[nodiscard]] TimePoint begun() const noexcept { return begun_; }

  private:
    SaslauthdClient& client_;
    Secret request_;
    Secret other_realm_;
    Executor& home_;
    Answer answer_;
    net::Timer deadline_;
    std::unique_ptr<net::Transport> transport_;
    const TimePoint begun_;
    TimePoint asked_;
    const bool is_probe_;
    bool has_begun_ = false;
    Phase phase_ = Phase::kFirst;
};

SaslauthdClient::SaslauthdClient(net::EventLoop& loop, SaslauthdSettings settings,
                                 SaslauthdObserver& observer)
    : loop_(loop),
      settings_(std::move(settings)),
      observer_(observer),
      breaker_(settings_.breaker_failures, settings_.breaker_pause) {}

SaslauthdClient::~SaslauthdClient() {
    for (CheckPointer& check : running_) check->finish(PasswordAnswer::kUnavailable);
    for (CheckPointer& check : waiting_) check->finish(PasswordAnswer::kUnavailable);
}

void SaslauthdClient::check(std::string_view user, const Secret& password, Executor& home, Answer answer) {
    loop_.assert_here();
    const auto refuse = [&](SaslauthdOutcome outcome, std::string_view detail) {
        post_answer(home, std::move(answer), answer_for(outcome));
        observer_.checked(outcome, detail, Duration::zero());
    };
    if (password.size() > kSaslauthdPasswordLimit) {
        return refuse(SaslauthdOutcome::kPasswordTooLong, "saslauthd takes at most 256 octets");
    }
    if (user.ends_with('@')) return refuse(SaslauthdOutcome::kRefused, "a name with an empty realm");
    if (waiting_.size() >= settings_.max_waiting && running_.size() >= settings_.max_connections) {
        return refuse(SaslauthdOutcome::kQueueFull, "");
    }
    const CircuitBreaker::Pass pass = breaker_.admit(loop_.now());
    if (pass == CircuitBreaker::Pass::kNone) return refuse(SaslauthdOutcome::kCircuitOpen, "");
    const std::size_t at = user.rfind('@');
    const bool has_realm = at != std::string_view::npos;
    const std::string_view name = has_realm ? user.substr(0, at) : user;
    const std::string_view realm = has_realm ? user.substr(at + 1) : std::string_view(settings_.realm);
    const auto question = [&](std::string_view of) {
        return saslauthd_request(name, password.reveal(), settings_.service, of);
    };
    // Of his own realm the operator has said that all users are of it.
    const bool is_to_test = realm != settings_.realm && !believes_realms();
    waiting_.push_back(
        std::make_unique<Check>(*this, question(realm), is_to_test ? question(kNobodysRealm) : Secret(),
                                pass == CircuitBreaker::Pass::kProbe, home, std::move(answer)));
    begin_waiting();
}

void SaslauthdClient::begin_waiting() {
    while (!waiting_.empty() && running_.size() < settings_.max_connections) {
        running_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        Check& check = *running_.back();
        if (const std::optional<std::string> failure = check.begin()) {
            settle(take(check), SaslauthdOutcome::kConnectFailed, *failure);
        }
    }
}

void SaslauthdClient::end(Check& check, SaslauthdOutcome outcome, std::string_view detail) {
    using Phase = Check::Phase;
    const bool is_yes = outcome == SaslauthdOutcome::kAccepted;
    switch (check.phase()) {
        case Phase::kFirst:
            if (is_yes && check.can_test() && !believes_realms()) return ask_again(check);
            break;
        case Phase::kUnderOtherRealm:
            // Kerberos has no other words for a realm that it does not know.
            if (outcome == SaslauthdOutcome::kRefused || outcome == SaslauthdOutcome::kTrouble)
                return ask_again(check);
            if (!is_yes) break;
            outcome = SaslauthdOutcome::kIgnoresRealms;
            detail = "saslauthd accepts a password under any realm: start it with -r, or set realm";
            break;
        case Phase::kOnceMore:
            if (is_yes) realms_are_believed_until_ = loop_.now() + settings_.realm_test_interval;
            break;
    }
    settle(take(check), outcome, detail);
    begin_waiting();
}

void SaslauthdClient::ask_again(Check& check) {
    check.prepare_next_question();
    if (const std::optional<std::string> failure = check.begin())
        end(check, SaslauthdOutcome::kConnectFailed, *failure);
}

void SaslauthdClient::settle(CheckPointer check, SaslauthdOutcome outcome, std::string_view detail) {
    check->finish(answer_for(outcome));
    observer_.checked(outcome, detail, loop_.now() - check->begun());
    note(*check, outcome);
    loop_.defer([over = std::move(check)] {});
}

void SaslauthdClient::note(const Check& check, SaslauthdOutcome outcome) {
    const bool was_open = breaker_.is_open();
    const std::optional<bool> is_well = daemon_is_well(outcome);
    // It had answered before, or what is late is the answer to a question that only we ask.
    const bool is_test = check.phase() != Check::Phase::kFirst;
    const bool is_late = outcome == SaslauthdOutcome::kDeadline && (is_test || !check.gave_time());
    if (is_well == true) {
        breaker_.note_success(check.is_probe());
    } else if (check.is_probe() || (is_well == false && !is_late)) {
        breaker_.note_failure(check.is_probe(), loop_.now());
    }
    if (was_open == breaker_.is_open()) return;
    observer_.circuit_changed(breaker_.is_open());
    if (!breaker_.is_open()) return;
    // As if they came only now.
    for (CheckPointer& waiting : std::exchange(waiting_, {})) {
        settle(std::move(waiting), SaslauthdOutcome::kCircuitOpen, "");
    }
}

SaslauthdClient::CheckPointer SaslauthdClient::take(Check& check) {
    const auto is_it = [&check](const CheckPointer& candidate) { return candidate.get() == &check; };
    CheckPointer taken;
    if (const auto running = std::ranges::find_if(running_, is_it); running != running_.end()) {
        taken = std::exchange(*running, std::move(running_.back()));
        running_.pop_back();
    } else if (const auto waiting = std::ranges::find_if(waiting_, is_it); waiting != waiting_.end()) {
        taken = std::move(*waiting);
        waiting_.erase(waiting);
    }
    return taken;
}

}  // namespace gatepost::backends

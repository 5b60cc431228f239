#include "proxy/commands/auth_trace.h"

#include <array>
#include <cstdio>
#include <utility>

#include "auth/check/record.h"
#include "proxy/base/printable.h"

namespace gatepost::commands {
namespace {

using auth::Lookup;
using auth::Outcome;
using auth::PasswordAnswer;

std::string describe(const Lookup& lookup) {
    switch (lookup.status) {
        case Lookup::Status::kUnknown: return "unknown";
        case Lookup::Status::kUnavailable: return "cannot answer";
        case Lookup::Status::kFound: break;
    }
    if (!lookup.credential) return "found, without a record";
    const Result<auth::Record> record = auth::Record::parse(lookup.credential->record.reveal());
    return "found: " +
           (record ? record->describe() : "its record cannot be used: " + record.error().message) +
           (lookup.credential->disabled ? ", disabled" : "");
}

std::string_view describe(PasswordAnswer answer) {
    switch (answer) {
        case PasswordAnswer::kAccepted: return "the password is right";
        case PasswordAnswer::kRefused:
            return "refused: unknown user or wrong password, it does not say which";
        case PasswordAnswer::kUnavailable: break;
        case PasswordAnswer::kTimedOut: return "does not answer in time";
    }
    return "cannot answer";
}

std::string_view describe(Outcome outcome) {
    switch (outcome) {
        case Outcome::kChallenge: return "goes on with a challenge";
        case Outcome::kAccepted: return "accepts";
        case Outcome::kRejected: return "refuses";
        case Outcome::kMalformed: return "finds the message malformed";
        case Outcome::kUnavailable: return "cannot go on";
        case Outcome::kBusy: break;
    }
    return "is too busy";
}

class TracedStore final : public auth::CredentialStore {
  public:
    TracedStore(AuthTrace& trace, std::string name, std::shared_ptr<CredentialStore> store)
        : trace_(trace), name_(std::move(name)), store_(std::move(store)) {}

    void lookup(std::string_view user, Executor& home,
                std::move_only_function<void(Lookup)> answer) override {
        trace_.row("backend", name_ + ": asked");
        store_->lookup(
            user, home, [this, began = Clock::now(), answer = std::move(answer)](Lookup lookup) mutable {
                trace_.row("backend",
                           name_ + ": " + describe(lookup) + ", " + milliseconds(Clock::now() - began));
                answer(std::move(lookup));
            });
    }

  private:
    AuthTrace& trace_;
    const std::string name_;
    const std::shared_ptr<CredentialStore> store_;
};

class TracedService final : public auth::PasswordService {
  public:
    TracedService(AuthTrace& trace, std::string name, std::shared_ptr<PasswordService> service)
        : trace_(trace), name_(std::move(name)), service_(std::move(service)) {}

    void check(std::string_view user, const Secret& password, Executor& home,
               std::move_only_function<void(PasswordAnswer)> answer) override {
        trace_.row("backend", name_ + ": asked, with the password");
        service_->check(
            user, password, home,
            [this, began = Clock::now(), answer = std::move(answer)](PasswordAnswer judged) mutable {
                trace_.row("backend", name_ + ": " + std::string(describe(judged)) + ", " +
                                          milliseconds(Clock::now() - began));
                answer(judged);
            });
    }

  private:
    AuthTrace& trace_;
    const std::string name_;
    const std::shared_ptr<PasswordService> service_;
};

/// What a mechanism asks of the user's record during one step.
class TracedCheck final : public auth::PasswordCheck {
  public:
    TracedCheck(AuthTrace& trace, auth::PasswordCheck& check) : trace_(trace), check_(check) {}

    bool matches(std::string_view user, ByteView password) override {
        const TimePoint began = Clock::now();
        const bool is_right = check_.matches(user, password);
        trace_.row("hash", std::string(is_right ? "the password is right" : "not accepted") + ", " +
                               milliseconds(Clock::now() - began));
        return is_right;
    }
    Secret scram_keys(std::string_view mechanism) override {
        Secret keys = check_.scram_keys(mechanism);
        trace_.row("record",
                   keys.empty() ? "has no keys for this mechanism" : "keys handed to the mechanism");
        return keys;
    }
    Secret plain_password() override {
        trace_.row("record", "password handed to the mechanism");
        return check_.plain_password();
    }

  private:
    AuthTrace& trace_;
    auth::PasswordCheck& check_;
};

class TracedExchange final : public auth::MechanismExchange {
  public:
    TracedExchange(AuthTrace& trace, std::unique_ptr<MechanismExchange> exchange)
        : trace_(trace), exchange_(std::move(exchange)) {}

    auth::Verdict step(const std::optional<Secret>& message, auth::PasswordCheck& check) override {
        TracedCheck traced(trace_, check);
        const TimePoint began = Clock::now();
        auth::Verdict verdict = exchange_->step(message, traced);
        trace_.row("step " + std::to_string(++steps_), "the mechanism " +
                                                           std::string(describe(verdict.outcome)) + ", " +
                                                           milliseconds(Clock::now() - began));
        return verdict;
    }

  private:
    AuthTrace& trace_;
    const std::unique_ptr<MechanismExchange> exchange_;
    int steps_ = 0;
};

class TracedEngine final : public auth::MechanismEngine {
  public:
    TracedEngine(AuthTrace& trace, MechanismEngine& engine) : trace_(trace), engine_(engine) {}

    std::unique_ptr<auth::MechanismExchange> begin(std::string_view mechanism,
                                                   const auth::ExchangeFacts& facts) override {
        auto exchange = engine_.begin(mechanism, facts);
        if (!exchange) return nullptr;
        return std::make_unique<TracedExchange>(trace_, std::move(exchange));
    }

  private:
    AuthTrace& trace_;
    MechanismEngine& engine_;
};

}  // namespace

std::string milliseconds(Duration duration) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f ms",
                  std::chrono::duration<double, std::milli>(duration).count());
    return text.data();
}

void AuthTrace::row(std::string_view what, std::string text) {
    home_.post([this, after = Clock::now() - began_, what = std::string(what), text = std::move(text)] {
        std::array<char, 64> begin{};
        std::snprintf(begin.data(), begin.size(), "%11s  %-10s ", milliseconds(after).c_str(), what.c_str());
        out_ << begin.data() << text << '\n' << std::flush;
    });
}

auth::StoreVerifier::Parts AuthTrace::watch(auth::StoreVerifier::Parts parts) {
    for (auth::NamedStore& named : parts.stores) {
        const std::string name = printable(named.name, 64);
        if (named.store) named.store = std::make_shared<TracedStore>(*this, name, named.store);
        if (named.service) named.service = std::make_shared<TracedService>(*this, name, named.service);
    }
    engine_ = std::make_unique<TracedEngine>(*this, parts.engine);
    return {.home = parts.home,
            .receiver = parts.receiver,
            .engine = *engine_,
            .pool = parts.pool,
            .cache = parts.cache,
            .fake = parts.fake,
            .stores = std::move(parts.stores),
            .match = parts.match};
}

}  // namespace gatepost::commands

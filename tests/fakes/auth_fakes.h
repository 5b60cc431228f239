// What tests of auth/ put in place of a worker's loop, a store, an engine and a conversation.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "auth/dialogue/credential_store.h"
#include "auth/dialogue/mechanism_engine.h"
#include "auth/dialogue/verifier.h"
#include "proxy/base/executor.h"

namespace gatepost::auth {

/// Runs posted tasks when the test says so.
class FakeExecutor final : public Executor {
  public:
    void post(Task task) override {
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        arrived_.notify_one();
    }

    /// Runs tasks until none is left; the number of them.
    int run_ready() {
        int count = 0;
        while (Task task = take()) {
            task();
            ++count;
        }
        return count;
    }

    /// Runs tasks until `done` says so, two minutes at most (a busy machine under TSan needs some); whether
    /// it did.
    template <typename Predicate>
    bool run_until(Predicate done) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
        while (!done()) {
            {
                std::unique_lock lock(mutex_);
                if (!arrived_.wait_until(lock, end, [this] { return !tasks_.empty(); })) return false;
            }
            if (Task task = take()) task();
        }
        return true;
    }

  private:
    Task take() {
        const std::lock_guard lock(mutex_);
        if (tasks_.empty()) return nullptr;
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        return task;
    }

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Task> tasks_;
};

/// Answers from a map, on the executor; counts what it was asked.
class FakeStore final : public CredentialStore {
  public:
    void add(const std::string& user, std::string_view record, bool disabled = false,
             std::string_view scram = {}, std::map<std::string, std::string> attributes = {}) {
        auto credential = std::make_shared<StoredCredential>();
        credential->user = user;
        credential->record = Secret(record);
        credential->scram = Secret(scram);
        credential->disabled = disabled;
        credential->attributes = std::move(attributes);
        users_[user] = std::move(credential);
    }

    void lookup(std::string_view user, Executor& home,
                std::move_only_function<void(Lookup)> answer) override {
        ++asked;
        Lookup found{
            .status = Lookup::Status::kUnknown, .credential = nullptr, .stand_in = stand_in, .backend = {}};
        if (const auto entry = users_.find(std::string(user)); entry != users_.end()) {
            found.status = Lookup::Status::kFound;
            found.credential = entry->second;
        }
        if (is_down) found = Lookup{};
        home.post(
            [found = std::move(found), answer = std::move(answer)]() mutable { answer(std::move(found)); });
    }

    int asked = 0;
    bool is_down = false;
    std::shared_ptr<const StoredCredential> stand_in;

  private:
    std::map<std::string, std::shared_ptr<const StoredCredential>> users_;
};

class FakeReceiver final : public VerdictReceiver {
  public:
    void on_verdict(ConnectionId id, Verdict verdict) override {
        verdicts.emplace_back(id.value, std::move(verdict));
    }

    std::vector<std::pair<std::uint64_t, Verdict>> verdicts;
};

/// PLAIN and LOGIN as plainly as they can be written, and GSSAPI that believes its first message; `lies`
/// makes it say what it should not.
class FakeEngine final : public MechanismEngine {
  public:
    enum class Lie { kNone, kAcceptsAll, kAcceptsWithoutAsking, kNamesAnother, kAsksForAnother, kFails };

    std::unique_ptr<MechanismExchange> begin(std::string_view mechanism, const ExchangeFacts&) override {
        if (mechanism == "GSSAPI") return std::make_unique<Vouching>(*this);
        if (mechanism != "PLAIN" && mechanism != "LOGIN") return nullptr;
        return std::make_unique<Exchange>(*this, mechanism == "PLAIN");
    }

    Lie lie = Lie::kNone;
    std::string vouches_for;     ///< whom GSSAPI accepts; "" = nobody
    std::atomic<int> alive = 0;  ///< exchanges; a job may let go of the last one
    std::thread::id stepped_on;  ///< the thread of GSSAPI's last step

  private:
    class Exchange final : public MechanismExchange {
      public:
        Exchange(FakeEngine& engine, bool is_plain) : engine_(engine), is_plain_(is_plain) {
            ++engine_.alive;
        }
        ~Exchange() override { --engine_.alive; }

        Verdict step(const std::optional<Secret>& message, PasswordCheck& check) override {
            if (engine_.lie == Lie::kFails) return {};
            if (engine_.lie == Lie::kAcceptsWithoutAsking) return accepted("user");
            if (!message) return challenge(is_plain_ ? "" : "Username:");
            const std::string text(message->reveal());
            if (!is_plain_ && user_.empty()) {
                user_ = text;
                return challenge("Password:");
            }
            std::string password = text;
            if (is_plain_) {
                const std::size_t nul = text.find('\0');
                user_ = text.substr(nul + 1, text.rfind('\0') - nul - 1);
                password = text.substr(text.rfind('\0') + 1);
            }
            const bool agrees = check.matches(engine_.lie == Lie::kAsksForAnother ? "boss" : user_, password);
            if (agrees || engine_.lie == Lie::kAcceptsAll || engine_.lie == Lie::kAsksForAnother) {
                return accepted(engine_.lie == Lie::kNamesAnother ? "boss" : user_);
            }
            return {.outcome = Outcome::kRejected,
                    .reason = Reason::kWrongPassword,
                    .challenge = {},
                    .identity = {}};
        }

      private:
        static Verdict accepted(const std::string& user) {
            return {.outcome = Outcome::kAccepted,
                    .reason = Reason::kNone,
                    .challenge = {},
                    .identity = {.user = user, .mechanism = {}, .backend = {}}};
        }
        static Verdict challenge(const std::string& text) {
            return {
                .outcome = Outcome::kChallenge, .reason = Reason::kNone, .challenge = text, .identity = {}};
        }

        FakeEngine& engine_;
        const bool is_plain_;
        std::string user_;
    };

    class Vouching final : public MechanismExchange {
      public:
        explicit Vouching(FakeEngine& engine) : engine_(engine) { ++engine_.alive; }
        ~Vouching() override { --engine_.alive; }

        Verdict step(const std::optional<Secret>&, PasswordCheck&) override {
            engine_.stepped_on = std::this_thread::get_id();
            if (engine_.lie == Lie::kFails) return {};
            const bool accepts = !engine_.vouches_for.empty();
            return {.outcome = accepts ? Outcome::kAccepted : Outcome::kRejected,
                    .reason = accepts ? Reason::kNone : Reason::kWrongPassword,
                    .challenge = {},
                    .identity = {.user = engine_.vouches_for, .mechanism = {}, .backend = {}}};
        }

      private:
        FakeEngine& engine_;
    };
};

}  // namespace gatepost::auth

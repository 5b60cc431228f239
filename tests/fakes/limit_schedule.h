// A random schedule for any LimitStore: batches of peeks, charges, records, returns, entries and leaves over
// several keys and rates, while the clock goes forward and jumps. Holds the answers against LimitModel, and
// what was accepted against burst + rate x time. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/policy/limit_store.h"
#include "tests/fakes/limit_model.h"

namespace gatepost::test {

struct LimitScheduleOptions {
    std::uint64_t seed = 0;
    int steps = 200;
    int keys = 6;          ///< with rates
    int session_keys = 2;  ///< with kEnter and kLeave
    /// What all times are multiples of: as fine as the store's clock is.
    Duration tick{1};
    bool jumps_back = true;
    TimePoint start{std::chrono::hours{1000}};
    /// Before each key: stores that outlive a schedule need another for each.
    std::string prefix = "limit:schedule:";
};

/// The store, and how a test has its answers and its time.
struct StoreOfSchedule {
    policy::LimitStore* store = nullptr;
    Executor* home = nullptr;
    /// Runs `home` (and whatever the store needs) until the predicate holds; false when it never did.
    std::function<bool(const std::function<bool()>&)> run_until;
    /// Before each batch: what the store's own clock has to say now. May be empty.
    std::function<void(TimePoint)> set_time;
};

class LimitSchedule {
  public:
    LimitSchedule(StoreOfSchedule store, LimitScheduleOptions options)
        : store_(std::move(store)),
          options_(std::move(options)),
          random_(options_.seed),
          model_(options_.tick),
          now_(options_.start) {
        for (int key = 0; key < options_.keys + options_.session_keys; ++key) {
            keys_.push_back({.name = options_.prefix + std::to_string(key),
                             .rate = {.count = up_to(20),
                                      .per = options_.tick * static_cast<std::int64_t>(up_to(200)),
                                      .burst = up_to(12),
                                      .debt = random_() % 5},
                             .is_of_sessions = key >= options_.keys,
                             .accepted = {}});
        }
    }

    /// Fails the test (fatally) at the first answer that is wrong.
    void run() {
        // All are there from the beginning: a store that sweeps when a key is new has no more reason to.
        std::vector<policy::LimitQuestion> all;
        for (Key& key : keys_) {
            all.push_back(
                question(key, key.is_of_sessions ? policy::Counting::kEnter : policy::Counting::kRecord));
        }
        ask(std::move(all));
        for (int step = 0; step < options_.steps && !::testing::Test::HasFatalFailure(); ++step) {
            SCOPED_TRACE("seed " + std::to_string(options_.seed) + ", step " + std::to_string(step));
            let_time_pass();
            ask(some_questions());
        }
        for (const Key& key : keys_) hold_against_rate(key);
    }

    /// So many batches had a binding refusal, or none: a schedule without both says little.
    [[nodiscard]] int refused_batches() const { return refused_batches_; }
    [[nodiscard]] int counted_batches() const { return counted_batches_; }

  private:
    struct Accepted {
        Duration at{};  ///< LimitModel::elapsed()
        std::uint64_t events = 0;
    };
    struct Key {
        std::string name;
        policy::Rate rate;
        bool is_of_sessions = false;
        std::vector<Accepted> accepted;  ///< charges, less what was given back
    };

    std::uint64_t up_to(std::uint64_t most) { return random_() % most + 1; }
    bool one_in(std::uint64_t many) { return random_() % many == 0; }

    void let_time_pass() {
        if (options_.jumps_back && one_in(20)) {
            const Duration by = options_.tick * static_cast<std::int64_t>(up_to(300));
            now_ -= by;
            model_.jump_back(by);
        } else if (!one_in(3)) {
            const std::uint64_t most = one_in(30) ? 5000 : 40;
            const Duration by = options_.tick * static_cast<std::int64_t>(random_() % up_to(most));
            now_ += by;
            model_.forward(by);
        }
    }

    std::vector<policy::LimitQuestion> some_questions() {
        std::vector<policy::LimitQuestion> batch;
        std::shuffle(keys_.begin(), keys_.end(), random_);
        const std::size_t size = std::min<std::size_t>(up_to(5), keys_.size());
        for (std::size_t at = 0; at < size; ++at) batch.push_back(one_question(keys_[at]));
        return batch;
    }

    policy::LimitQuestion one_question(Key& key) {
        if (key.is_of_sessions) {
            const bool leaves = model_.there_now(key.name) > 0 && one_in(2);
            return question(key, leaves ? policy::Counting::kLeave : policy::Counting::kEnter);
        }
        if (one_in(4)) {
            if (Accepted* charge = some_charge(key)) {
                policy::LimitQuestion back = question(key, policy::Counting::kReturn);
                back.events = one_in(2) ? charge->events : up_to(charge->events);
                back.counted_at = now_ - (model_.elapsed() - charge->at);
                charge->events -= back.events;
                return back;
            }
        }
        using enum policy::Counting;
        policy::LimitQuestion asked = question(key, one_in(5) ? kPeek : one_in(8) ? kRecord : kCharge);
        if (one_in(4)) asked.events = up_to(key.rate.burst + 1);
        return asked;
    }

    policy::LimitQuestion question(const Key& key, policy::Counting counting) {
        policy::LimitQuestion one{{key.name}, key.rate, counting};
        one.is_binding = !one_in(5);
        return one;
    }

    Accepted* some_charge(Key& key) {
        if (key.accepted.empty()) return nullptr;
        const std::size_t late = std::min<std::size_t>(key.accepted.size(), up_to(8));
        Accepted& charge = key.accepted[key.accepted.size() - late];
        return charge.events == 0 ? nullptr : &charge;
    }

    void ask(std::vector<policy::LimitQuestion> batch) {
        if (store_.set_time) store_.set_time(now_);
        policy::LimitAnswers answers;
        bool is_answered = false;
        store_.store->ask(batch, now_, *store_.home, [&](policy::LimitAnswers got) {
            answers = std::move(got);
            is_answered = true;
        });
        ASSERT_FALSE(is_answered) << "answered inside the call";
        ASSERT_TRUE(store_.run_until([&] { return is_answered; })) << "never answered";
        ASSERT_EQ(model_.judge(batch, answers, now_), "");
        const bool is_counted = LimitModel::was_counted(batch, answers);
        ++(is_counted ? counted_batches_ : refused_batches_);
        if (is_counted) remember_charges(batch, answers);
    }

    void remember_charges(const std::vector<policy::LimitQuestion>& batch,
                          const policy::LimitAnswers& answers) {
        for (std::size_t at = 0; at < batch.size(); ++at) {
            if (batch[at].counting != policy::Counting::kCharge) continue;
            if (!std::holds_alternative<policy::Allow>(answers[at])) continue;
            const auto key = std::ranges::find(keys_, batch[at].key.text, &Key::name);
            key->accepted.push_back({model_.elapsed(), batch[at].events});
        }
    }

    /// Whatever the model says: between any two acceptances no more than burst + rate x time.
    static void hold_against_rate(const Key& key) {
        const std::int64_t per = std::chrono::nanoseconds(key.rate.per).count();
        for (std::size_t first = 0; first < key.accepted.size(); ++first) {
            std::int64_t events = -static_cast<std::int64_t>(key.rate.burst);
            for (std::size_t last = first; last < key.accepted.size(); ++last) {
                events += static_cast<std::int64_t>(key.accepted[last].events);
                const Duration time = key.accepted[last].at - key.accepted[first].at;
                const std::int64_t gives =
                    static_cast<std::int64_t>(key.rate.count) * std::chrono::nanoseconds(time).count();
                ASSERT_LE(events * per, gives) << key.name << ": more than the rate";
            }
        }
    }

    StoreOfSchedule store_;
    LimitScheduleOptions options_;
    std::mt19937_64 random_;
    LimitModel model_;
    TimePoint now_;
    std::vector<Key> keys_;
    int refused_batches_ = 0;
    int counted_batches_ = 0;
};

}  // namespace gatepost::test

// What a LimitStore should have answered: slow, exact, and by definition (of all stretches of time that end
// now, the one in which most came beyond the rate says how full a bucket is). One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "proxy/policy/limit_store.h"

namespace gatepost::test {

/// All that was ever put into one bucket, in grains: an event is `per` of them, and `count` wear off each
/// nanosecond.
class BucketModel {
  public:
    __extension__ using Wide = __int128;

    explicit BucketModel(const policy::Rate& rate)
        : count_(static_cast<std::int64_t>(rate.count)),
          per_(std::chrono::nanoseconds(rate.per).count()),
          room_(cost_of(rate.burst)),
          deepest_(room_ + cost_of(rate.debt)) {}

    [[nodiscard]] Wide level(std::int64_t now) const {
        Wide most = 0;
        Wide sum = 0;
        for (auto put = history_.rbegin(); put != history_.rend(); ++put) {
            sum += put->grains;
            most = std::max(most, sum - worn_off(now - put->at));
        }
        return most;
    }
    [[nodiscard]] bool fits(std::uint64_t events, std::int64_t now) const {
        return level(now) + cost_of(events) <= room_;
    }
    [[nodiscard]] Duration wait_for(std::uint64_t events, std::int64_t now) const {
        if (cost_of(events) > room_) return Duration::max();
        const Wide beyond = std::max<Wide>(level(now) + cost_of(events) - room_, 0);
        return std::chrono::nanoseconds(static_cast<std::int64_t>((beyond + count_ - 1) / count_));
    }
    [[nodiscard]] std::uint64_t used(std::int64_t now) const {
        return static_cast<std::uint64_t>((level(now) + per_ - 1) / per_);
    }

    void charge(std::uint64_t events, std::int64_t now) { put(cost_of(events), now); }
    void record(std::uint64_t events, std::int64_t now) {
        put(std::min(cost_of(events), deepest_ - level(now)), now);
    }
    void give_back(std::uint64_t events, std::int64_t held, std::int64_t now) {
        put(-std::max<Wide>(cost_of(events) - worn_off(std::max<std::int64_t>(held, 0)), 0), now);
    }
    /// As full as if the last `time` had not been yet: fuller than it can be, until somebody looks.
    void fill_up(std::int64_t time, std::int64_t now) { put(worn_off(time), now); }
    void cut(std::int64_t now) {
        if (level(now) > deepest_) put(deepest_ - level(now), now);
    }

  private:
    struct Put {
        std::int64_t at;
        Wide grains;
    };

    [[nodiscard]] Wide cost_of(std::uint64_t events) const { return Wide{per_} * events; }
    [[nodiscard]] Wide worn_off(std::int64_t time) const { return Wide{count_} * time; }
    void put(Wide grains, std::int64_t now) {
        if (level(now) == 0) history_.clear();  // nothing before now can matter any more
        history_.push_back({now, grains});
    }

    std::int64_t count_;
    std::int64_t per_;
    Wide room_;
    Wide deepest_;
    std::vector<Put> history_;
};

/// All keys of a store. As long as its clock goes forward there is one right answer. When it jumps back a
/// store may go on as if no time had passed, or make everybody wait for the old time (but no longer than a
/// full bucket), or do anything between; so each key is a pair of buckets, and answers must lie between them.
/// The rate of a key must not change.
class LimitModel {
  public:
    /// `tick` is what the store's clock, and so its `retry_after`, is rounded up to.
    explicit LimitModel(Duration tick = Duration{1}) : tick_(tick) {}

    void forward(Duration by) { elapsed_ += std::chrono::nanoseconds(by).count(); }
    void jump_back(Duration by) {
        for (auto& [key, known] : keys_) known.fuller.fill_up(std::chrono::nanoseconds(by).count(), elapsed_);
    }
    /// Of the clock, jumps back left out.
    [[nodiscard]] Duration elapsed() const { return std::chrono::nanoseconds(elapsed_); }
    [[nodiscard]] std::uint64_t there_now(const std::string& key) const {
        const auto found = keys_.find(key);
        return found == keys_.end() ? 0 : found->second.there_now;
    }

    /// Counts what the answers say was counted. What is wrong with them; "" = nothing. `now` is what the
    /// store was told: of it only the time since `counted_at` matters.
    [[nodiscard]] std::string judge(const std::vector<policy::LimitQuestion>& batch,
                                    const policy::LimitAnswers& answers, TimePoint now) {
        if (answers.size() != batch.size()) return "as many answers as questions are due";
        const bool is_counted = was_counted(batch, answers);
        for (std::size_t at = 0; at < batch.size(); ++at) {
            const std::string wrong = judge_one(batch[at], answers[at], is_counted, now);
            if (!wrong.empty())
                return "question " + std::to_string(at) + ", " + batch[at].key.text + ": " + wrong;
        }
        return "";
    }

    /// Charges and entries of a batch are counted unless one of them that binds was refused.
    static bool was_counted(const std::vector<policy::LimitQuestion>& batch,
                            const policy::LimitAnswers& answers) {
        for (std::size_t at = 0; at < batch.size(); ++at) {
            const bool is_reserved = batch[at].counting == policy::Counting::kCharge ||
                                     batch[at].counting == policy::Counting::kEnter;
            if (is_reserved && batch[at].is_binding && !std::holds_alternative<policy::Allow>(answers[at])) {
                return false;
            }
        }
        return true;
    }

  private:
    struct Key {
        explicit Key(const policy::Rate& rate) : emptier(rate), fuller(rate) {}
        BucketModel emptier;
        BucketModel fuller;
        std::uint64_t there_now = 0;
    };

    std::string judge_one(const policy::LimitQuestion& question, const policy::LimitAnswer& answer,
                          bool is_counted, TimePoint now) {
        if (std::holds_alternative<policy::Unavailable>(answer)) return "not answered";
        Key& key = keys_.try_emplace(question.key.text, question.rate).first->second;
        key.fuller.cut(elapsed_);
        if (question.counting == policy::Counting::kEnter || question.counting == policy::Counting::kLeave) {
            return judge_there_now(key, question, answer, is_counted);
        }
        if (std::string wrong = judge_fit(key, question, answer); !wrong.empty()) return wrong;
        count(key, question, std::holds_alternative<policy::Allow>(answer) && is_counted, now);
        const std::uint64_t used = used_of(answer);
        const std::uint64_t least = key.emptier.used(elapsed_);
        const std::uint64_t most = key.fuller.used(elapsed_);
        if (used >= least && used <= most) return "";
        return "used " + std::to_string(used) + " is not in " + std::to_string(least) + ".." +
               std::to_string(most);
    }

    [[nodiscard]] std::string judge_fit(const Key& key, const policy::LimitQuestion& question,
                                        const policy::LimitAnswer& answer) const {
        const auto* refused = std::get_if<policy::Refused>(&answer);
        if (question.counting == policy::Counting::kReturn) {
            return refused == nullptr ? "" : "what is given back is refused";
        }
        if (refused == nullptr) {
            return key.emptier.fits(question.events, elapsed_) ? "" : "allowed, and does not fit";
        }
        if (key.fuller.fits(question.events, elapsed_)) return "refused, and fits";
        const Duration least = key.emptier.wait_for(question.events, elapsed_);
        const Duration most = key.fuller.wait_for(question.events, elapsed_);
        const Duration wait = refused->retry_after;
        const bool is_never = most == Duration::max();
        if (is_never ? wait == most : wait >= least && wait > Duration{0} && wait < most + tick_) return "";
        return "wait " + std::to_string(wait.count()) + " is not in " + std::to_string(least.count()) + ".." +
               std::to_string(most.count());
    }

    void count(Key& key, const policy::LimitQuestion& question, bool is_charged, TimePoint now) const {
        const std::int64_t held = std::chrono::nanoseconds(now - question.counted_at).count();
        for (BucketModel* bucket : {&key.emptier, &key.fuller}) {
            if (question.counting == policy::Counting::kCharge && is_charged) {
                bucket->charge(question.events, elapsed_);
            }
            if (question.counting == policy::Counting::kRecord) bucket->record(question.events, elapsed_);
            if (question.counting == policy::Counting::kReturn) {
                bucket->give_back(question.events, held, elapsed_);
            }
        }
    }

    /// How long to wait for somebody to leave nobody can know.
    static std::string judge_there_now(Key& key, const policy::LimitQuestion& question,
                                       const policy::LimitAnswer& answer, bool is_counted) {
        const bool is_allowed = std::holds_alternative<policy::Allow>(answer);
        if (question.counting == policy::Counting::kLeave) {
            if (!is_allowed) return "who leaves is refused";
            key.there_now -= std::min(key.there_now, question.events);
        } else {
            const bool fits = key.there_now + question.events <= question.rate.burst;
            if (is_allowed != fits) return is_allowed ? "let in, and is full" : "refused, and has room";
            if (is_allowed && is_counted) key.there_now += question.events;
        }
        if (used_of(answer) == key.there_now) return "";
        return std::to_string(used_of(answer)) + " are there, not " + std::to_string(key.there_now);
    }

    static std::uint64_t used_of(const policy::LimitAnswer& answer) {
        if (const auto* refused = std::get_if<policy::Refused>(&answer)) return refused->used;
        return std::get<policy::Allow>(answer).used;
    }

    Duration tick_;
    std::int64_t elapsed_ = 0;
    std::map<std::string, Key> keys_;
};

}  // namespace gatepost::test

#include "proxy/policy/memory_limit_store.h"

#include <algorithm>
#include <utility>

namespace gatepost::policy {
namespace {

/// New keys sweep out this many worn-off ones each, so the store shrinks back after a flood without a timer.
constexpr int kSweepOfNewKey = 2;

/// The map takes the low bits of the hash (modulo a prime); the stripe must not depend on the same.
std::size_t stripe_of(std::string_view key) {
    constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
    const std::uint64_t hash = std::hash<std::string_view>{}(key);
    return static_cast<std::size_t>((hash * kMix) >> 32) % MemoryLimitStore::kStripes;
}

LimitAnswer as_answer(const GcraAnswer& answer) {
    if (answer.allowed) return Allow{answer.used};
    return Refused{answer.retry_after, answer.used};
}

}  // namespace

MemoryLimitStore::MemoryLimitStore(std::size_t most_keys)
    : most_keys_of_stripe_(std::max<std::size_t>(1, (most_keys + kStripes - 1) / kStripes)) {}

void MemoryLimitStore::ask(std::vector<LimitQuestion> batch, TimePoint now, Executor& home,
                           std::move_only_function<void(LimitAnswers)> answer) {
    const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
    LimitAnswers answers;
    answers.reserve(batch.size());
    for (LimitQuestion& question : batch) answers.push_back(answer_one(question, at));
    home.post(
        [answers = std::move(answers), answer = std::move(answer)]() mutable { answer(std::move(answers)); });
}

LimitAnswer MemoryLimitStore::answer_one(LimitQuestion& question, std::int64_t now) {
    const Rate& rate = question.rate;
    Stripe& stripe = stripes_[stripe_of(question.key.text)];
    const std::lock_guard hold(stripe.lock);
    switch (question.counting) {
        case Counting::kPeek: {
            const auto found = stripe.by_key.find(question.key.text);
            if (found == stripe.by_key.end()) {
                GcraState unknown;
                return as_answer(gcra_peek(unknown, rate, question.events, now));
            }
            // Who is refused is only ever peeked at: that must keep the key as fresh as counting does.
            stripe.recent.splice(stripe.recent.begin(), stripe.recent, found->second);
            return as_answer(gcra_peek(found->second->state, rate, question.events, now));
        }
        case Counting::kCharge:
            return as_answer(
                gcra_charge(state_for(stripe, question.key.text, now), rate, question.events, now));
        case Counting::kRecord:
            return as_answer(
                gcra_record(state_for(stripe, question.key.text, now), rate, question.events, now));
    }
    return Unavailable{};
}

GcraState& MemoryLimitStore::state_for(Stripe& stripe, std::string& key, std::int64_t now) const {
    if (const auto found = stripe.by_key.find(key); found != stripe.by_key.end()) {
        stripe.recent.splice(stripe.recent.begin(), stripe.recent, found->second);
        return found->second->state;
    }
    if (stripe.recent.size() >= most_keys_of_stripe_) forget_oldest(stripe);
    for (int swept = 0; swept < kSweepOfNewKey && !stripe.recent.empty(); ++swept) {
        if (!gcra_is_empty(stripe.recent.back().state, now)) break;
        forget_oldest(stripe);
    }
    key.shrink_to_fit();
    stripe.recent.push_front({std::move(key), {}});
    stripe.by_key.emplace(stripe.recent.front().key, stripe.recent.begin());
    return stripe.recent.front().state;
}

void MemoryLimitStore::forget_oldest(Stripe& stripe) {
    stripe.by_key.erase(stripe.recent.back().key);
    stripe.recent.pop_back();
}

std::size_t MemoryLimitStore::size() const {
    std::size_t keys = 0;
    for (const Stripe& stripe : stripes_) {
        const std::lock_guard hold(stripe.lock);
        keys += stripe.recent.size();
    }
    return keys;
}

}  // namespace gatepost::policy

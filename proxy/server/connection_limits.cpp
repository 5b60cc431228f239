// What a connection asks of the store of limits, on its worker's thread.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/server/connection.h"
#include "proxy/server/worker.h"

namespace gatepost::server {
namespace {

/// A question that counts a failure: where it stands, and how many failures are allowed.
struct GuessCount {
    std::size_t question = 0;
    policy::GuessingRule rule = policy::GuessingRule::kIp;
    std::uint64_t most = 0;
    Duration wears_off_in{};  ///< one failure does
    std::string key;
};

/// The user's own count only delays.
std::vector<GuessCount> guess_counts(const policy::Guessing& guessing,
                                     const std::vector<policy::LimitQuestion>& questions) {
    std::vector<GuessCount> counts;
    for (std::size_t i = 0; i < questions.size(); ++i) {
        const auto owner = guessing.owner_of(questions[i].key.text);
        if (owner && owner->rule != policy::GuessingRule::kUser)
            counts.push_back({.question = i,
                              .rule = owner->rule,
                              .most = owner->rate.burst,
                              .wears_off_in = owner->rate.per / owner->rate.count,
                              .key = questions[i].key.text});
    }
    return counts;
}

/// The next attempt is refused, for so long at most.
struct Blocked {
    bool is_new = false;
    Duration how_long{};
};

/// With exactly so many the next attempt is refused; one more is of an attempt that was under way already.
std::optional<Blocked> block_by(const GuessCount& count, const policy::LimitAnswers& answers) {
    if (count.question >= answers.size()) return std::nullopt;
    const policy::LimitAnswer& answer = answers[count.question];
    if (const auto* const refused = std::get_if<policy::Refused>(&answer))
        return Blocked{.is_new = refused->used == count.most, .how_long = refused->retry_after};
    const auto* const allowed = std::get_if<policy::Allow>(&answer);
    if (allowed == nullptr || allowed->used < count.most) return std::nullopt;
    return Blocked{.is_new = true, .how_long = count.wears_off_in};
}

}  // namespace

void Connection::ask_limits(std::vector<policy::LimitQuestion> questions) {
    const std::uint64_t question = ++limits_question_;
    generation_.limits().ask(std::move(questions), worker_.loop().now(), worker_.loop(),
                             [worker = &worker_, id = id_, question](policy::LimitAnswers answers) {
                                 worker->on_limits(id, question, std::move(answers));
                             });
}

void Connection::forget_limits(std::vector<policy::LimitQuestion> asked) {
    worker_.forget_limits(id_, limits_question_, std::move(asked));
}

void Connection::charge_limits(std::vector<policy::LimitQuestion> questions) {
    std::vector<GuessCount> counts = guess_counts(listener_.session.guessing, questions);
    generation_.limits().ask(
        std::move(questions), worker_.loop().now(), worker_.loop(),
        [worker = &worker_, counts = std::move(counts)](const policy::LimitAnswers& answers) {
            for (const GuessCount& count : counts) {
                if (const auto block = block_by(count, answers))
                    worker->blocked(count.rule, count.key, block->is_new, block->how_long);
            }
        });
}

void Connection::on_limits(std::uint64_t question, policy::LimitAnswers answers) {
    if (is_ended_ || question != limits_question_) return;
    conversation_->on(session::LimitsAnswered{.answers = std::move(answers), .now = worker_.loop().now()});
    after_event();
}

}  // namespace gatepost::server

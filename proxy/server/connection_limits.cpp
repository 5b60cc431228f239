// What a connection asks of the store of limits, on its worker's thread.
#include <cstdint>
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
};

/// The user's own count only delays.
std::vector<GuessCount> guess_counts(const policy::Guessing& guessing,
                                     const std::vector<policy::LimitQuestion>& questions) {
    std::vector<GuessCount> counts;
    for (std::size_t i = 0; i < questions.size(); ++i) {
        const auto owner = guessing.owner_of(questions[i].key.text);
        if (owner && owner->rule != policy::GuessingRule::kUser)
            counts.push_back({.question = i, .rule = owner->rule, .most = owner->rate.burst});
    }
    return counts;
}

/// With exactly so many the next attempt is refused; one more is of an attempt that was under way already.
bool begins_block(const GuessCount& count, const policy::LimitAnswers& answers) {
    if (count.question >= answers.size()) return false;
    const policy::LimitAnswer& answer = answers[count.question];
    if (const auto* const allowed = std::get_if<policy::Allow>(&answer)) return allowed->used == count.most;
    const auto* const refused = std::get_if<policy::Refused>(&answer);
    return refused != nullptr && refused->used == count.most;
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
                if (begins_block(count, answers)) worker->block_begun(count.rule);
            }
        });
}

void Connection::on_limits(std::uint64_t question, policy::LimitAnswers answers) {
    if (is_ended_ || question != limits_question_) return;
    conversation_->on(session::LimitsAnswered{.answers = std::move(answers), .now = worker_.loop().now()});
    after_event();
}

}  // namespace gatepost::server

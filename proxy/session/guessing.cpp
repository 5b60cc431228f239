// Guessing: before a step that could cost a hash or ask a store, the counts of failures are looked at; for
// each 535 they are raised. The rules themselves are in proxy/policy.
#include <utility>

#include "proxy/session/conversation.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;

/// Whenever more is known of who asks: at the first step, and again where a later line names the user. Takes
/// the step only when it returns true.
bool Conversation::asks_limits_first(auth::Step& step, bool was_named) {
    const std::string& user = exchange_->user();
    const bool knows_more = step.is_first || (!was_named && !user.empty());
    if (!knows_more || client_.is_trusted) return false;
    std::vector<policy::LimitQuestion> questions = settings_.guessing.questions_before(client_.peer, user);
    if (questions.empty()) return false;
    waiting_step_ = std::make_unique<auth::Step>(std::move(step));
    // As for a verdict, the failure delay counts from the client's last line.
    enter(State::kAwaitingLimits);
    actions_.ask_limits(std::move(questions));
    return true;
}

void Conversation::take_limits(const policy::LimitAnswers& answers) {
    const policy::GuessingVerdict verdict =
        settings_.guessing.verdict(client_.peer, exchange_->user(), answers);
    if (const auto* const refusal = std::get_if<policy::RefuseGuess>(&verdict)) return refuse_guess(*refusal);
    const auto* const go_on = std::get_if<policy::GoOn>(&verdict);
    if (go_on != nullptr && go_on->delay > Duration::zero()) return delay_guess(go_on->delay);
    // CannotTell too: who comes while the counts cannot be had is not to blame.
    // Not enter(): the deadline that was set for the limits goes on and is the verdict's too.
    state_ = state_ == State::kAwaitingLimits ? State::kAwaitingVerdict : State::kAwaitingLateVerdict;
    judge_waiting_step();
}

/// The client hears of it when it would hear of a wrong password, so that trying is not cheaper.
void Conversation::refuse_guess(const policy::RefuseGuess& refusal) {
    waiting_step_.reset();
    actions_.report(GuessRefused{.rule = refusal.rule,
                                 .retry_after = refusal.retry_after,
                                 .mechanism = exchange_->mechanism(),
                                 .user = exchange_->user()});
    if (state_ == State::kAwaitingLateLimits) return answer_guess_refused();
    // Not enter(): the deadline that runs is the failure delay, and it goes on.
    state_ = State::kAwaitingGuessRefusal;
}

/// Before the check and whatever comes of it, so that the wait says nothing about the password.
void Conversation::delay_guess(Duration delay) {
    actions_.report(
        GuessDelayed{.delay = delay, .mechanism = exchange_->mechanism(), .user = exchange_->user()});
    guess_delay_ = delay;
    enter(State::kAwaitingGuessDelay);
}

void Conversation::guess_delay_over() {
    enter(State::kAwaitingVerdict);
    judge_waiting_step();
}

void Conversation::judge_waiting_step() {
    const std::unique_ptr<auth::Step> step = std::move(waiting_step_);
    actions_.ask_verifier(std::move(*step));
}

void Conversation::limits_too_late() {
    end_auth(AuthEnd::kUnavailable, auth::Reason::kDeadline, replies::kAuthUnavailable);
}

/// 454 and not 535, on which clients forget a password that may well be right; and no closed connection,
/// which they show as a broken server. Neither counted as a failure again nor as an error of the client.
void Conversation::answer_guess_refused() {
    end_auth(AuthEnd::kBlocked, auth::Reason::kNone, replies::kTooManyGuesses);
}

/// As soon as it is known that 535 follows: whoever leaves within the failure delay, because a right password
/// would have been told by now, has guessed all the same.
void Conversation::charge_failure() {
    if (client_.is_trusted || tells_disabled()) return;
    std::vector<policy::LimitQuestion> charges =
        settings_.guessing.charges_after_failure(client_.peer, exchange_->user());
    if (!charges.empty()) actions_.charge_limits(std::move(charges));
}

}  // namespace gatepost::session

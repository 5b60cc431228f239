// Guessing: before a step that could cost a hash or ask a store, the counts of failures are looked at; for
// each 535 they are raised. The rules themselves are in proxy/policy.
#include <algorithm>
#include <iterator>
#include <utility>

#include "proxy/policy/limit_reply.h"
#include "proxy/session/conversation.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;

/// Whenever more is known of who asks: at the first step, and again where a later line names the user. Takes
/// the step only when it returns true.
bool Conversation::asks_limits_first(auth::Step& step, bool was_named) {
    const std::string& user = exchange_->user();
    const bool is_named_now = !was_named && !user.empty();
    if (!step.is_first && !is_named_now) return false;
    auto asked = std::make_unique<LimitedStep>(LimitedStep{.what = LimitedStep::What::kAuth, .batch = {}});
    if (!client_.is_trusted) asked->batch.questions = settings_.guessing.questions_before(client_.peer, user);
    asked->guesses = asked->batch.questions.size();
    if (step.is_first) add_questions(asked->batch, policy::LimitMoment::kAuth);
    if (is_named_now) add_questions(asked->batch, policy::LimitMoment::kAuthUser);
    attempt_is_counted_ = true;
    if (asked->batch.questions.empty()) return false;
    waiting_step_ = std::make_unique<auth::Step>(std::move(step));
    limited_ = std::move(asked);
    ask_before_step();
    return true;
}

void Conversation::add_questions(policy::LimitBatch& batch, policy::LimitMoment moment) const {
    policy::LimitSubject about = subject();
    about.user = exchange_->user();
    policy::LimitBatch more = settings_.limits.questions(moment, about);
    std::ranges::move(more.questions, std::back_inserter(batch.questions));
    batch.rules.insert(batch.rules.end(), more.rules.begin(), more.rules.end());
}

void Conversation::ask_before_step() {
    // As for a verdict, the failure delay counts from the client's last line.
    enter(State::kAwaitingLimits);
    actions_.ask_limits(limited_->batch.questions);
}

void Conversation::take_limits(const policy::LimitAnswers& answers) {
    const std::unique_ptr<LimitedStep> asked = std::move(limited_);
    if (answers.size() != asked->batch.questions.size()) return refuse_unknown_auth();
    const std::span guesses = std::span(answers).first(asked->guesses);
    const std::span limits = std::span(answers).subspan(asked->guesses);
    report_decisions(*asked, limits);
    const policy::GuessingVerdict guess =
        settings_.guessing.verdict(client_.peer, exchange_->user(), guesses);
    if (const auto* const refusal = std::get_if<policy::RefuseGuess>(&guess)) return refuse_guess(*refusal);
    const policy::LimitVerdict verdict = settings_.limits.verdict(asked->batch.rules, limits);
    if (const auto* const refusal = std::get_if<policy::LimitRefusal>(&verdict))
        return limit_auth(std::move(*asked), *refusal);
    const auto* const go_on = std::get_if<policy::GoOn>(&guess);
    const bool is_unknown =
        std::holds_alternative<policy::LimitUnknown>(verdict) || (asked->guesses > 0 && go_on == nullptr);
    if (is_unknown) return refuse_unknown_auth();
    if (go_on != nullptr && go_on->delay > Duration::zero()) return delay_guess(go_on->delay);
    // Not enter(): the deadline that was set for the limits goes on and is the verdict's too.
    state_ = state_ == State::kAwaitingLimits ? State::kAwaitingVerdict : State::kAwaitingLateVerdict;
    judge_waiting_step();
}

/// A rule under `limits:` does not let the password be looked at, or not yet.
void Conversation::limit_auth(LimitedStep asked, const policy::LimitRefusal& refusal) {
    if (waits_for_room(asked, refusal)) {
        limited_ = std::make_unique<LimitedStep>(std::move(asked));
        guess_delay_ = limited_->wait;
        return enter(State::kAwaitingGuessDelay);
    }
    const policy::LimitRule& rule = settings_.limits.rule(refusal.rule);
    refuse_auth_later({.reply = policy::limit_reply(policy::LimitReplyTo::kAuth, rule, refusal),
                       .closes = refusal.action == policy::LimitAction::kClose});
}

/// Who counts cannot be asked, and the operator wants nobody let in uncounted (limit_store.when_unavailable).
void Conversation::refuse_unknown_auth() {
    refuse_auth_later({.reply = policy::limit_unknown_reply(policy::LimitReplyTo::kAuth),
                       .end = AuthEnd::kUnavailable,
                       .reason = auth::Reason::kStoreFailed});
}

void Conversation::refuse_guess(const policy::RefuseGuess& refusal) {
    actions_.report(GuessRefused{.rule = refusal.rule,
                                 .retry_after = refusal.retry_after,
                                 .key = refusal.key,
                                 .mechanism = exchange_->mechanism(),
                                 .user = exchange_->user()});
    // 454 and not 535, on which clients forget a password that may well be right; and no closed connection,
    // which they show as a broken server.
    refuse_auth_later({.reply = smtp::to_reply(replies::kTooManyGuesses)});
}

/// The client hears of it when it would hear of a wrong password, so that trying is not cheaper.
void Conversation::refuse_auth_later(AuthRefusal refusal) {
    waiting_step_.reset();
    auth_refusal_ = std::make_unique<AuthRefusal>(std::move(refusal));
    if (state_ == State::kAwaitingLateLimits) return answer_auth_refusal();
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
    if (limited_) return ask_before_step();  // there may be room now
    enter(State::kAwaitingVerdict);
    judge_waiting_step();
}

void Conversation::judge_waiting_step() {
    const std::unique_ptr<auth::Step> step = std::move(waiting_step_);
    actions_.ask_verifier(std::move(*step));
}

void Conversation::limits_too_late() {
    limited_.reset();
    end_auth(AuthEnd::kUnavailable, auth::Reason::kDeadline, replies::kAuthUnavailable);
}

/// Neither counted as a failure again nor as an error of the client.
void Conversation::answer_auth_refusal() {
    const std::unique_ptr<AuthRefusal> refusal = std::move(auth_refusal_);
    finish_auth(refusal->end, refusal->reason);
    pass_on(smtp::Verb::kAuth, refusal->reply);
    if (refusal->closes) close(CloseReason::kRateLimit);
}

/// As soon as it is known that 535 follows: whoever leaves within the failure delay, because a right password
/// would have been told by now, has guessed all the same.
void Conversation::charge_failure() {
    if (tells_disabled()) return;
    policy::LimitSubject about = subject();
    about.user = exchange_->user();
    std::vector<policy::LimitQuestion> charges =
        settings_.limits.records(policy::Counted::kAuthFailures, about);
    if (!client_.is_trusted) {
        std::ranges::move(settings_.guessing.charges_after_failure(client_.peer, exchange_->user()),
                          std::back_inserter(charges));
    }
    if (!charges.empty()) actions_.charge_limits(std::move(charges));
}

/// Of an AUTH that was refused or malformed before the limits were asked about it.
void Conversation::record_attempt() {
    std::vector<policy::LimitQuestion> records =
        settings_.limits.records(policy::Counted::kAuthAttempts, subject());
    if (!records.empty()) actions_.charge_limits(std::move(records));
}

}  // namespace gatepost::session

// Limits: at each step that a rule looks at, the store is asked and the session waits; then it goes on, waits
// for room, or refuses. What was charged for a message that did not come about is given back.
#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "proxy/policy/limit_reply.h"
#include "proxy/session/conversation.h"
#include "proxy/session/limited_step.h"
#include "proxy/session/transaction.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::session {
namespace replies = smtp::replies;
using policy::LimitMoment;
using smtp::Verb;

namespace {

/// In all, for one step: clients wait some minutes for a reply, and a longer delay helps nobody.
constexpr std::chrono::seconds kLongestDelay{60};

/// A message to a thousand domains gives back thousands of counts; a store is not to be held up by them at
/// once.
constexpr std::size_t kMostAtOnce = 64;

policy::LimitReplyTo reply_to(LimitedStep::What what) {
    switch (what) {
        case LimitedStep::What::kConnect: return policy::LimitReplyTo::kGreeting;
        case LimitedStep::What::kAuth:
        case LimitedStep::What::kLogin: return policy::LimitReplyTo::kAuth;
        case LimitedStep::What::kMail:
        case LimitedStep::What::kRecipient:
        case LimitedStep::What::kChunk:
        case LimitedStep::What::kEndOfData: break;
    }
    return policy::LimitReplyTo::kTransaction;
}

LimitDecision decision_of(policy::LimitAction action) {
    switch (action) {
        case policy::LimitAction::kDelay: return LimitDecision::kDelay;
        case policy::LimitAction::kDefer: return LimitDecision::kDefer;
        case policy::LimitAction::kReject: return LimitDecision::kReject;
        case policy::LimitAction::kClose: return LimitDecision::kClose;
    }
    return LimitDecision::kDefer;
}

LimitDecision decision_of(const policy::LimitRule& rule, const policy::LimitAnswer& answer) {
    if (const auto* const allow = std::get_if<policy::Allow>(&answer)) {
        const bool is_counted = allow->by != policy::CountedBy::kNobody;
        return is_counted ? LimitDecision::kAllow : LimitDecision::kFailOpen;
    }
    if (!std::holds_alternative<policy::Refused>(answer)) return LimitDecision::kUnavailable;
    return rule.is_enforced ? decision_of(rule.action) : LimitDecision::kWouldRefuse;
}

/// What is of one key goes together; the earlier moment is the safe one. There may be thousands.
std::vector<policy::LimitQuestion> joined(std::vector<policy::LimitQuestion> undone) {
    const auto of = [](const policy::LimitQuestion& undo) { return std::tie(undo.by, undo.key); };
    std::ranges::sort(undone, [&](const auto& one, const auto& other) { return of(one) < of(other); });
    std::vector<policy::LimitQuestion> all;
    for (policy::LimitQuestion& undo : undone) {
        if (all.empty() || of(all.back()) != of(undo)) {
            all.push_back(std::move(undo));
        } else {
            all.back().events += undo.events;
            all.back().counted_at = std::min(all.back().counted_at, undo.counted_at);
        }
    }
    return all;
}

Duration retry_after(const policy::LimitAnswer& answer) {
    const auto* const refused = std::get_if<policy::Refused>(&answer);
    return refused == nullptr ? Duration::zero() : refused->retry_after;
}

}  // namespace

policy::LimitSubject Conversation::subject() const {
    policy::LimitSubject subject{.peer = client_.peer,
                                 .listener = settings_.listener,
                                 .user = identity_.user,
                                 .user_class = identity_.limit_class,
                                 .is_authenticated = authenticated_,
                                 .is_trusted = client_.is_trusted};
    if (transaction_) {
        subject.sender = transaction_->mail.sender;
        subject.upstream = settings_.upstreams[transaction_->upstream].name;
        subject.bytes = transaction_->bytes_reserved;
    }
    return subject;
}

/// True: the step waits for the answer, or is refused later. Then proceed() or refuse_step() follows.
bool Conversation::asks_allowance(LimitedStep::What what, policy::LimitBatch batch,
                                  std::uint64_t message_size) {
    if (batch.questions.empty()) return false;
    limited_ = std::make_unique<LimitedStep>(
        LimitedStep{.what = what, .batch = std::move(batch), .message_size = message_size});
    ask_for_allowance();
    return true;
}

void Conversation::ask_for_allowance() {
    enter(State::kAwaitingAllowance);
    actions_.ask_limits(limited_->batch.questions);
}

void Conversation::take_allowance(const LimitsAnswered& event) {
    const policy::LimitBatch& batch = limited_->batch;
    const policy::LimitVerdict verdict = settings_.limits.verdict(batch.rules, event.answers);
    report_decisions(*limited_, event.answers);
    if (std::holds_alternative<policy::LimitUnknown>(verdict)) return allowance_unknown();
    if (const auto* const refusal = std::get_if<policy::LimitRefusal>(&verdict))
        return take_refusal(*refusal);
    keep_charges(event);
    proceed();
}

void Conversation::take_refusal(policy::LimitRefusal refusal) {
    const policy::LimitRule& rule = settings_.limits.rule(refusal.rule);
    // In parts it may fit, and still never as a whole: it would be tried for days.
    const std::uint64_t burst = policy::Limits::rate_for(rule, identity_.limit_class).burst;
    if (rule.counted == policy::Counted::kBytes && limited_->message_size > burst)
        refusal.retry_after = Duration::max();
    if (waits_for_room(*limited_, refusal)) return enter(State::kAwaitingRoom);
    refuse_step(policy::limit_reply(reply_to(limited_->what), rule, refusal), Origin::kPolicy,
                refusal.action == policy::LimitAction::kClose);
}

/// No rule has refused: the store that Gatepost counts in is away.
void Conversation::allowance_unknown() {
    refuse_step(policy::limit_unknown_reply(reply_to(limited_->what)), Origin::kGateway, false);
}

/// The store owes an answer for longer than it may take itself.
void Conversation::allowance_too_late() {
    actions_.forget_limits(limited_->batch.questions);
    allowance_unknown();
}

void Conversation::report_decisions(const LimitedStep& step, std::span<const policy::LimitAnswer> answers) {
    const policy::LimitBatch& batch = step.batch;
    if (answers.size() != batch.rules.size()) return;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const std::uint32_t rule = batch.rules[i];
        const Duration retry = retry_after(answers[i]);
        LimitDecision decision = decision_of(settings_.limits.rule(rule), answers[i]);
        if (decision == LimitDecision::kDelay && retry > kLongestDelay - step.waited)
            decision = LimitDecision::kDefer;
        actions_.report(LimitDecided{.rule = rule,
                                     .decision = decision,
                                     .key = batch.questions[step.guesses + i].key.text,
                                     .retry_after = retry});
    }
}

/// How long, is noted where it waits.
bool Conversation::waits_for_room(LimitedStep& step, const policy::LimitRefusal& refusal) {
    if (refusal.action != policy::LimitAction::kDelay) return false;
    if (refusal.retry_after > kLongestDelay - step.waited) return false;
    step.wait = refusal.retry_after;
    step.waited += refusal.retry_after;
    return true;
}

/// What must be given back one day.
void Conversation::keep_charges(const LimitsAnswered& event) {
    const policy::LimitBatch& batch = limited_->batch;
    const bool is_more =
        limited_->what == LimitedStep::What::kChunk || limited_->what == LimitedStep::What::kEndOfData;
    const std::vector<LimitCharge*> before = is_more ? charges_of_bytes() : std::vector<LimitCharge*>();
    for (std::size_t i = 0; i < batch.rules.size(); ++i) {
        std::optional<policy::LimitQuestion> undo =
            policy::undo_of(batch.questions[i], event.answers[i], event.now);
        if (!undo) continue;
        switch (limited_->what) {
            case LimitedStep::What::kAuth: break;
            case LimitedStep::What::kConnect:
                // Connections are not given back: they happened.
                if (undo->counting == policy::Counting::kLeave) entered_.push_back(std::move(*undo));
                break;
            case LimitedStep::What::kLogin: login_entered_.push_back(std::move(*undo)); break;
            case LimitedStep::What::kMail: transaction_->charges.push_back({batch.rules[i], *undo}); break;
            case LimitedStep::What::kRecipient:
                if (!counts_recipients(batch.rules[i])) transaction_->charged_domains.insert(undo->key.text);
                transaction_->charges.push_back({batch.rules[i], std::move(*undo)});
                break;
            case LimitedStep::What::kChunk:
            case LimitedStep::What::kEndOfData:
                // What others count now than at first is not given back: better too much is charged.
                if (before[i]->undo.by == undo->by) before[i]->undo.events += undo->events;
                break;
        }
    }
}

bool Conversation::counts_recipients(std::uint32_t rule) const {
    return settings_.limits.rule(rule).counted == policy::Counted::kRecipients;
}

/// None without a transaction.
std::vector<LimitCharge*> Conversation::charges_of_bytes() const {
    std::vector<LimitCharge*> charges;
    if (!transaction_) return charges;
    for (LimitCharge& charge : transaction_->charges) {
        if (settings_.limits.rule(charge.rule).counted == policy::Counted::kBytes) charges.push_back(&charge);
    }
    return charges;
}

void Conversation::proceed() {
    const LimitedStep::What what = limited_->what;
    limited_.reset();
    switch (what) {
        case LimitedStep::What::kConnect: return arrived_before_tls_ ? admit() : welcome();
        case LimitedStep::What::kLogin: return succeed();
        case LimitedStep::What::kMail: return use_upstream();
        case LimitedStep::What::kRecipient: enter(State::kAwaitingCommand); return send_recipient();
        case LimitedStep::What::kChunk: return take_chunk_up();
        case LimitedStep::What::kEndOfData: return end_data();
        case LimitedStep::What::kAuth: return;
    }
}

void Conversation::refuse_step(const smtp::Reply& reply, Origin origin, bool closes) {
    const LimitedStep::What what = limited_->what;
    limited_.reset();
    switch (what) {
        case LimitedStep::What::kConnect: return refuse_connection(reply, closes);
        case LimitedStep::What::kAuth: return;
        case LimitedStep::What::kLogin:
            identity_ = {};
            finish_auth(AuthEnd::kBlocked, auth::Reason::kNone);
            pass_on(Verb::kAuth, reply);
            break;
        case LimitedStep::What::kMail:
            enter(State::kAwaitingCommand);
            pass_on(Verb::kMail, reply);
            end_message(origin, reply.code, reply.text);
            break;
        case LimitedStep::What::kRecipient:
            enter(State::kAwaitingCommand);
            note_refused_recipient(reply, origin);
            pass_on(Verb::kRcpt, reply);
            break;
        case LimitedStep::What::kChunk:
            if (closes) {
                say(reply);
                break;
            }
            return refuse_data(reply, origin);
        case LimitedStep::What::kEndOfData: refuse_whole_message(reply, origin); break;
    }
    if (closes) close(CloseReason::kRateLimit);
}

void Conversation::admit() {
    enter(State::kConnecting);
    actions_.admit_client();
}

/// Before TLS nothing can be said: action close spares the handshake, the others tell why behind it.
void Conversation::refuse_connection(const smtp::Reply& reply, bool closes) {
    if (!arrived_before_tls_) say(reply);
    if (!arrived_before_tls_ || closes) return close(CloseReason::kRateLimit);
    greeting_refusal_ = std::make_unique<smtp::Reply>(reply);
    admit();
}

/// What the octets of a message take beyond what was reserved for it: a question for each of
/// charges_of_bytes().
policy::LimitBatch Conversation::more_bytes(std::uint64_t size) const {
    policy::LimitBatch batch;
    if (size <= transaction_->bytes_reserved) return batch;
    for (const LimitCharge* const charge : charges_of_bytes()) {
        policy::LimitQuestion question = charge->undo;
        question.counting = policy::Counting::kCharge;
        question.events = size - transaction_->bytes_reserved;
        question.is_binding = settings_.limits.rule(charge->rule).is_enforced;
        batch.rules.push_back(charge->rule);
        batch.questions.push_back(std::move(question));
    }
    return batch;
}

/// Of rules that count a message once for each domain of its recipients: this domain was counted before.
policy::LimitBatch Conversation::questions_of_recipient(ByteView recipient) const {
    policy::LimitSubject about = subject();
    about.recipient = recipient;
    policy::LimitBatch all = settings_.limits.questions(LimitMoment::kRecipient, about);
    policy::LimitBatch batch;
    for (std::size_t i = 0; i < all.rules.size(); ++i) {
        if (transaction_->charged_domains.contains(all.questions[i].key.text)) continue;
        batch.rules.push_back(all.rules[i]);
        batch.questions.push_back(std::move(all.questions[i]));
    }
    return batch;
}

/// Those of the recipient that was just refused.
void Conversation::give_back_recipient() {
    give_back(transaction_->charges_before_recipient, [](const policy::LimitRule&) { return true; });
}

/// At the end of a message: all of it, or, when it was accepted, the octets that were declared and not sent.
void Conversation::give_back_message(bool is_accepted) {
    if (!is_accepted) return give_back(0, [](const policy::LimitRule&) { return true; });
    const std::uint64_t received = std::max<std::uint64_t>(transaction_->received, 1);
    if (received >= transaction_->bytes_reserved) return;
    const std::uint64_t surplus = transaction_->bytes_reserved - received;
    for (LimitCharge& charge : transaction_->charges)
        charge.undo.events = std::min(charge.undo.events, surplus);
    give_back(0, [](const policy::LimitRule& rule) { return rule.counted == policy::Counted::kBytes; });
}

void Conversation::give_back(std::size_t first, bool (*is_meant)(const policy::LimitRule&)) {
    std::vector<policy::LimitQuestion> undone;
    std::vector<LimitCharge>& charges = transaction_->charges;
    for (std::size_t i = first; i < charges.size(); ++i) {
        transaction_->charged_domains.erase(charges[i].undo.key.text);
        if (is_meant(settings_.limits.rule(charges[i].rule))) undone.push_back(std::move(charges[i].undo));
    }
    charges.resize(std::min(first, charges.size()));
    undone = joined(std::move(undone));
    for (std::size_t at = 0; at < undone.size(); at += kMostAtOnce) {
        const auto part = std::span(undone).subspan(at, std::min(kMostAtOnce, undone.size() - at));
        actions_.charge_limits({std::make_move_iterator(part.begin()), std::make_move_iterator(part.end())});
    }
}

void Conversation::leave_login() {
    if (!login_entered_.empty()) actions_.charge_limits(std::exchange(login_entered_, {}));
}

void Conversation::leave_limits() {
    if (limited_ && state_ == State::kAwaitingAllowance) actions_.forget_limits(limited_->batch.questions);
    limited_.reset();
    std::ranges::move(login_entered_, std::back_inserter(entered_));
    login_entered_.clear();
    if (!entered_.empty()) actions_.charge_limits(std::exchange(entered_, {}));
}

}  // namespace gatepost::session

// What a connection asks of the store of limits, on its worker's thread.
#include <utility>

#include "proxy/server/connection.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

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
    generation_.limits().ask(std::move(questions), worker_.loop().now(), worker_.loop(),
                             [](const policy::LimitAnswers&) {});
}

void Connection::on_limits(std::uint64_t question, policy::LimitAnswers answers) {
    if (is_ended_ || question != limits_question_) return;
    conversation_->on(session::LimitsAnswered{.answers = std::move(answers), .now = worker_.loop().now()});
    after_event();
}

}  // namespace gatepost::server

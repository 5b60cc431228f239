#include "backends/redis/redis_limit_store.h"

#include <utility>

#include "backends/redis/limit_core.h"

namespace gatepost::backends {

RedisLimitStore::RedisLimitStore(net::EventLoop& loop, net::Resolver& resolver, RedisLimitSettings settings,
                                 policy::LimitStore& stand_in, RedisLimitObserver& observer)
    : loop_(loop),
      core_(std::make_shared<LimitCore>(loop, resolver, std::move(settings), stand_in, observer)) {}

RedisLimitStore::~RedisLimitStore() = default;

void RedisLimitStore::ask(std::vector<policy::LimitQuestion> batch, TimePoint now, Executor& home,
                          std::move_only_function<void(policy::LimitAnswers)> answer) {
    loop_.assert_here();
    core_->ask(std::move(batch), now, home, std::move(answer));
}

void RedisLimitStore::list(std::string prefix, std::size_t most, TimePoint /*now*/, Executor& home,
                           std::move_only_function<void(Entries)> answer) {
    auto tell = [&home, answer = std::move(answer)](Entries found) mutable {
        home.post(
            [found = std::move(found), answer = std::move(answer)]() mutable { answer(std::move(found)); });
    };
    loop_.post(
        [core = std::weak_ptr(core_), prefix = std::move(prefix), most, tell = std::move(tell)]() mutable {
            const auto alive = core.lock();
            if (!alive) return tell(fail("the store has ended"));
            alive->list(std::move(prefix), most, std::move(tell));
        });
}

void RedisLimitStore::forget(policy::LimitKey key, Executor& home,
                             std::move_only_function<void(Result<bool>)> answer) {
    auto tell = [&home, answer = std::move(answer)](Result<bool> was_there) mutable {
        home.post([was_there = std::move(was_there), answer = std::move(answer)]() mutable {
            answer(std::move(was_there));
        });
    };
    loop_.post([core = std::weak_ptr(core_), key = std::move(key), tell = std::move(tell)]() mutable {
        const auto alive = core.lock();
        if (!alive) return tell(fail("the store has ended"));
        alive->forget(key.text, std::move(tell));
    });
}

bool RedisLimitStore::is_away() const noexcept {
    return core_->is_away();
}
bool RedisLimitStore::is_connected() const noexcept {
    return core_->is_connected();
}
unsigned RedisLimitStore::replicas() const noexcept {
    return core_->replicas();
}
void RedisLimitStore::set_clock(std::string clock) {
    core_->set_clock(std::move(clock));
}
void RedisLimitStore::set_password(std::shared_ptr<const Secret> password) {
    core_->set_password(std::move(password));
}

}  // namespace gatepost::backends

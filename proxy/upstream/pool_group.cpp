#include "proxy/upstream/pool_group.h"

#include <algorithm>
#include <utility>

namespace gatepost::upstream {
namespace {

/// A connection that is handed to a session of the same worker need not be opened anew. That is worth this
/// much of the order.
constexpr std::chrono::milliseconds kAhead{100};

}  // namespace

std::size_t PoolGroup::join(Executor& home, std::function<void()> turn, std::function<void()> let_go) {
    const std::lock_guard hold(lock_);
    const auto vacant = std::ranges::find(members_, nullptr);
    const auto place = vacant == members_.end() ? members_.insert(vacant, nullptr) : vacant;
    *place = std::make_shared<Member>(&home, std::move(turn), std::move(let_go));
    return static_cast<std::size_t>(place - members_.begin());
}

void PoolGroup::resign(std::size_t member) {
    const std::lock_guard hold(lock_);
    members_[member] = nullptr;
}

/// What is on its way when a member resigns, comes to nothing.
void PoolGroup::tell(const std::shared_ptr<Member>& member, std::function<void()> Member::* what) {
    member->home->post([told = std::weak_ptr(member), what] {
        if (const auto still = told.lock()) ((*still).*what)();
    });
}

std::uint64_t PoolGroup::wait(std::size_t member, TimePoint since) {
    std::uint64_t number = 0;
    {
        const std::lock_guard hold(lock_);
        number = ++last_number_;
        line_.insert(std::ranges::upper_bound(line_, since, {}, &Place::since),
                     {.since = since, .member = member, .number = number});
        count();
    }
    ask_to_let_go(member);
    return number;
}

void PoolGroup::call_again(std::size_t member) {
    {
        const std::lock_guard hold(lock_);
        for (Place& place : line_) {
            if (place.member == member) place.is_called = false;
        }
        count();
    }
    ask_to_let_go(member);
}

void PoolGroup::ask_to_let_go(std::size_t member) {
    const std::lock_guard hold(lock_);
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (i != member && members_[i]) tell(members_[i], &Member::let_go);
    }
}

void PoolGroup::count() {
    const auto waiting = std::ranges::count(line_, false, &Place::is_called);
    waiting_.store(static_cast<std::size_t>(waiting), std::memory_order_release);
}

void PoolGroup::leave(std::uint64_t place) {
    const std::lock_guard hold(lock_);
    std::erase_if(line_, [&](const Place& one) { return one.number == place; });
    count();
}

void PoolGroup::freed() {
    if (!is_anybody_waiting()) return;
    const std::lock_guard hold(lock_);
    const auto next = std::ranges::find(line_, false, &Place::is_called);
    if (next == line_.end()) return;
    next->is_called = true;
    count();
    tell(members_[next->member], &Member::turn);
}

bool PoolGroup::others_come_first(std::size_t member, TimePoint own) {
    if (!is_anybody_waiting()) return false;
    const std::lock_guard hold(lock_);
    const auto other = std::ranges::find_if(
        line_, [&](const Place& place) { return place.member != member && !place.is_called; });
    return other != line_.end() && other->since + kAhead < own;
}

}  // namespace gatepost::upstream

#include "backends/redis/held_sessions.h"

#include <algorithm>
#include <utility>

namespace gatepost::backends {

using policy::Counting;
using policy::LimitQuestion;

namespace {

bool is_of_sessions(const LimitQuestion& question) {
    return question.counting == Counting::kEnter || question.counting == Counting::kLeave;
}

}  // namespace

void HeldSessions::asked(const LimitQuestion& question) {
    if (!is_of_sessions(question)) return;
    Held& held = held_[question.key.text];
    ++held.on_their_way;
    if (question.counting == Counting::kLeave) leave(held, question.events);
}

void HeldSessions::answered(const LimitQuestion& question, bool is_counted) {
    if (!is_of_sessions(question)) return;
    const auto found = held_.find(question.key.text);
    if (found == held_.end()) return;
    --found->second.on_their_way;
    if (question.counting == Counting::kEnter && is_counted) found->second.count += question.events;
    settle(found);
}

void HeldSessions::lost(const LimitQuestion& question) {
    if (!is_of_sessions(question)) return;
    const auto found = held_.find(question.key.text);
    if (found == held_.end()) return;
    --found->second.on_their_way;
    doubt(*found);
}

void HeldSessions::left_unheard(const LimitQuestion& question) {
    if (question.counting != Counting::kLeave) return;
    const auto entry = held_.try_emplace(question.key.text).first;
    leave(entry->second, question.events);
    doubt(*entry);
}

void HeldSessions::doubt(const std::string& key) {
    doubt(*held_.try_emplace(key).first);
}

void HeldSessions::doubt_all() {
    for (auto& entry : held_) doubt(entry);
}

std::vector<HeldSessions::Count> HeldSessions::take_doubtful(std::size_t most) {
    std::vector<Count> taken;
    std::vector<std::string> busy;
    while (!doubtful_.empty() && taken.size() < most) {
        std::string key = std::move(doubtful_.back());
        doubtful_.pop_back();
        const auto found = held_.find(key);
        if (found == held_.end()) continue;
        if (found->second.on_their_way != 0) {
            busy.push_back(std::move(key));
            continue;
        }
        found->second.is_in_doubt = false;
        taken.push_back({std::move(key), found->second.count});
        settle(found);
    }
    doubtful_.insert(doubtful_.end(), std::make_move_iterator(busy.begin()),
                     std::make_move_iterator(busy.end()));
    return taken;
}

void HeldSessions::leave(Held& held, std::uint64_t events) {
    held.count -= std::min(held.count, events);
}

void HeldSessions::doubt(ByKey::value_type& entry) {
    if (!std::exchange(entry.second.is_in_doubt, true)) doubtful_.push_back(entry.first);
}

void HeldSessions::settle(ByKey::iterator entry) {
    const Held& held = entry->second;
    if (held.count == 0 && held.on_their_way == 0 && !held.is_in_doubt) held_.erase(entry);
}

}  // namespace gatepost::backends

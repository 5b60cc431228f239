#include "proxy/server/bans_commands.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "proxy/base/printable.h"

namespace gatepost::server {
namespace {

using observe::AdminSocket;

constexpr std::string_view kGuesses = "guess:";

/// Of "guess:user-net:192.0.2.0/24=alice": "192.0.2.0/24=alice".
std::string_view who_of(std::string_view key) {
    key.remove_prefix(kGuesses.size());
    return key.substr(std::min(key.find(':'), key.size() - 1) + 1);
}

struct Ban {
    std::string key;
    std::string scope;
    std::uint64_t failures = 0;
    std::uint64_t allowed = 0;
    Duration retry_after{};

    [[nodiscard]] std::string text() const {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
        return key + '\t' + scope + '\t' + std::string(who_of(key)) + '\t' + std::to_string(failures) + '\t' +
               std::to_string(allowed) + '\t' + std::to_string(seconds) + '\n';
    }
};

}  // namespace

void BansCommands::add_to(AdminSocket& socket) {
    socket.add("bans", "bans list | lift KEY",
               [this](const observe::AdminRequest& request, AdminSocket::Answer answer) {
                   run(request, std::move(answer));
               });
}

void BansCommands::run(const observe::AdminRequest& request, AdminSocket::Answer answer) {
    const std::vector<std::string>& words = request.words;
    if (words.size() == 1 && words[0] == "list") return list(std::move(answer));
    if (words.size() != 2 || words[0] != "lift")
        return answer(fail("expected bans list or bans lift KEY, with tabs between words"));
    if (!request.may_operate) return answer(observe::needs_operator());
    lift(words[1], request.user, std::move(answer));
}

void BansCommands::list(AdminSocket::Answer answer) {
    books_->inventory.list(
        std::string(kGuesses), LimitsCommands::kMostLooked, loop_.now(), loop_,
        [this, answer = std::move(answer)](policy::LimitInventory::Entries entries) mutable {
            if (!entries) return answer(std::unexpected(entries.error()));
            answer(table_of(std::move(*entries)));
        });
}

/// Those who only wait (per_user_delay) are not banned.
std::string BansCommands::table_of(std::vector<policy::LimitEntry> entries) const {
    const bool looked_at_all = entries.size() < LimitsCommands::kMostLooked;
    std::vector<Ban> bans;
    for (policy::LimitEntry& entry : entries) {
        const auto owner = policy::owner_of(entry.key, books_->limits, books_->guessing);
        if (!owner || owner->action == "delay") continue;
        const policy::KeyState state = policy::state_of(*owner, entry);
        if (!state.refused_for) continue;
        bans.push_back({.key = std::move(entry.key),
                        .scope = owner->rule.substr(owner->rule.rfind('.') + 1),
                        .failures = state.used,
                        .allowed = owner->rate.burst,
                        .retry_after = *state.refused_for});
    }
    std::ranges::sort(bans, [](const Ban& one, const Ban& other) {
        return std::pair(other.retry_after, std::string_view(one.key)) <
               std::pair(one.retry_after, std::string_view(other.key));
    });
    const auto twice = std::ranges::unique(bans, {}, &Ban::key);
    bans.erase(twice.begin(), twice.end());
    std::string text = std::string(kBanColumns) + '\n';
    for (const Ban& ban : bans) text += ban.text();
    return looked_at_all ? text : text + std::string(kMoreLimits) + '\n';
}

void BansCommands::lift(const std::string& key, uid_t user, AdminSocket::Answer answer) {
    if (!key.starts_with(kGuesses))
        return answer(fail("no ban is called " + printable(key) +
                           ": `bans list` shows the keys; what limits count, `limits reset` forgets"));
    books_->inventory.forget({key}, loop_,
                             [this, key, user, answer = std::move(answer)](Result<bool> was_there) mutable {
                                 if (!was_there) return answer(std::unexpected(was_there.error()));
                                 if (!*was_there)
                                     return answer(fail("no failures are counted under " + printable(key)));
                                 if (books_->forgotten) books_->forgotten(key);
                                 const std::string what = "lifted the ban of " + printable(key);
                                 log_.log(conf::LogEvent::admin_command,
                                          {{conf::LogField::uid, user}, {conf::LogField::what, what}});
                                 answer(what);
                             });
}

}  // namespace gatepost::server

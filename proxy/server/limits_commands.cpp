#include "proxy/server/limits_commands.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "proxy/base/printable.h"

namespace gatepost::server {
namespace {

using observe::AdminSocket;
using policy::KeyOwner;
using policy::KeyState;
using policy::LimitEntry;

constexpr std::string_view kNever = "never";

std::string seconds(Duration duration) {
    if (duration == Duration::max()) return std::string(kNever);
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

/// What somebody meets who is refused now.
std::string refusal_of(const KeyOwner& owner, const KeyState& state) {
    if (!state.refused_for) return "-";
    return owner.is_enforced ? owner.action : "dry-run";
}

std::string retry_of(const KeyState& state) {
    return state.refused_for ? seconds(*state.refused_for) : "-";
}

std::unexpected<Error> no_rule(const std::string& key) {
    return fail(
        "no rule counts under " + printable(key) +
        ": keys are limit:NAME:VALUE with a name under `limits:`, or guess:...; `limits list` shows them");
}

std::unexpected<Error> nothing_counted(const std::string& key) {
    return fail("nothing is counted under " + printable(key) + ": `limits list` shows the keys there are");
}

std::string described(const std::string& key, const KeyOwner& owner, const KeyState& state) {
    return "key\t" + key + "\nrule\t" + owner.rule + "\ncount\t" + owner.counted + "\nrate\t" +
           rate_text(owner) + "\nburst\t" + std::to_string(owner.rate.burst) + "\nused\t" +
           std::to_string(state.used) + "\nrefused\t" + refusal_of(owner, state) + "\nretry_after\t" +
           retry_of(state) + "\nworn_off_in\t" + seconds(state.worn_off_in) + "\naction\t" + owner.action +
           "\nenforce\t" + (owner.is_enforced ? "true" : "false") + "\n";
}

std::optional<LimitEntry> find(const std::vector<LimitEntry>& entries, const std::string& key) {
    const auto found = std::ranges::find(entries, key, &LimitEntry::key);
    return found == entries.end() ? std::nullopt : std::optional(*found);
}

struct Row {
    LimitEntry entry;
    std::optional<KeyOwner> owner;
    KeyState state;

    [[nodiscard]] std::string text() const {
        // A rule of another replica, or one that is not written any more.
        if (!owner) return entry.key + "\t-\t-\t-\t-\t-\t" + seconds(entry.empty_after);
        return entry.key + '\t' + owner->counted + '\t' + std::to_string(state.used) + '\t' +
               std::to_string(owner->rate.burst) + '\t' + refusal_of(*owner, state) + '\t' + retry_of(state) +
               '\t' + seconds(state.worn_off_in);
    }
};

}  // namespace

void LimitsCommands::add_to(AdminSocket& socket) {
    socket.add("limits", "limits list [PREFIX] | show KEY | reset KEY",
               [this](const observe::AdminRequest& request, AdminSocket::Answer answer) {
                   run(request, std::move(answer));
               });
}

void LimitsCommands::run(const observe::AdminRequest& request, AdminSocket::Answer answer) {
    const std::vector<std::string>& words = request.words;
    const std::string verb = words.empty() ? "" : words[0];
    if (verb == "list" && words.size() <= 2)
        return list(words.size() == 2 ? words[1] : "", std::move(answer));
    if (verb == "show" && words.size() == 2) return show(words[1], std::move(answer));
    if (verb == "peek" && words.size() == 4) return peek(words, std::move(answer));
    if (verb == "reset" && words.size() == 2) {
        if (!request.may_operate) return answer(observe::needs_operator());
        return reset(words[1], request.user, std::move(answer));
    }
    answer(
        fail("expected limits list [PREFIX], limits show KEY or limits reset KEY, with tabs between words"));
}

void LimitsCommands::list(const std::string& prefix, AdminSocket::Answer answer) {
    books_->inventory.list(
        prefix, kMostLooked, loop_.now(), loop_,
        [this, answer = std::move(answer)](policy::LimitInventory::Entries entries) mutable {
            if (!entries) return answer(std::unexpected(entries.error()));
            answer(table_of(std::move(*entries)));
        });
}

std::string LimitsCommands::table_of(std::vector<LimitEntry> entries) const {
    const bool looked_at_all = entries.size() < kMostLooked;
    std::vector<Row> rows;
    rows.reserve(entries.size());
    for (LimitEntry& entry : entries) {
        Row row{.entry = std::move(entry), .owner = {}, .state = {}};
        row.owner = policy::owner_of(row.entry.key, books_->limits, books_->guessing);
        if (row.owner) row.state = policy::state_of(*row.owner, row.entry);
        rows.push_back(std::move(row));
    }
    std::ranges::sort(rows, [](const Row& one, const Row& other) {
        return std::pair(other.state.used, std::string_view(one.entry.key)) <
               std::pair(one.state.used, std::string_view(other.entry.key));
    });
    const auto twice = std::ranges::unique(rows, {}, [](const Row& row) { return row.entry.key; });
    rows.erase(twice.begin(), twice.end());
    std::string text = std::string(kLimitColumns) + '\n';
    for (std::size_t i = 0; i < std::min(rows.size(), kMostShown); ++i) text += rows[i].text() + '\n';
    if (rows.size() > kMostShown || !looked_at_all) text += std::string(kMoreLimits) + '\n';
    return text;
}

void LimitsCommands::show(const std::string& key, AdminSocket::Answer answer) {
    const auto owner = policy::owner_of(key, books_->limits, books_->guessing);
    if (!owner) return answer(no_rule(key));
    books_->inventory.list(key, kMostLooked, loop_.now(), loop_,
                           [key, owner = *owner, answer = std::move(answer)](
                               const policy::LimitInventory::Entries& entries) mutable {
                               if (!entries) return answer(std::unexpected(entries.error()));
                               const auto entry = find(*entries, key);
                               if (!entry) return answer(nothing_counted(key));
                               answer(described(key, owner, policy::state_of(owner, *entry)));
                           });
}

/// As a session would ask, but counts nothing.
void LimitsCommands::peek(const std::vector<std::string>& words, AdminSocket::Answer answer) {
    const std::string& key = words[1];
    const std::string& number = words[3];
    std::uint64_t events = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), events);
    if (error != std::errc{} || end != number.data() + number.size() || events == 0)
        return answer(fail("expected a number of events: " + printable(number, 32)));
    const auto owner = policy::owner_of(key, books_->limits, books_->guessing, words[2]);
    if (!owner) return answer(no_rule(key));
    if (owner->is_at_a_time) return peek_there_now(key, *owner, std::move(answer));
    std::vector<policy::LimitQuestion> batch;
    batch.push_back(
        {.key = {key}, .rate = owner->rate, .counting = policy::Counting::kPeek, .events = events});
    books_->store.ask(
        std::move(batch), loop_.now(), loop_,
        [key, owner = *owner, answer = std::move(answer)](const policy::LimitAnswers& answers) mutable {
            KeyState state;
            if (const auto* const allow = std::get_if<policy::Allow>(&answers.front())) {
                state.used = allow->used;
            } else if (const auto* const refused = std::get_if<policy::Refused>(&answers.front())) {
                state.used = refused->used;
                state.refused_for = refused->retry_after;
            } else {
                return answer(fail("the store of the counts does not answer"));
            }
            answer(described(key, owner, state));
        });
}

void LimitsCommands::peek_there_now(const std::string& key, const KeyOwner& owner,
                                    AdminSocket::Answer answer) {
    books_->inventory.list(
        key, kMostLooked, loop_.now(), loop_,
        [key, owner, answer = std::move(answer)](const policy::LimitInventory::Entries& entries) mutable {
            if (!entries) return answer(std::unexpected(entries.error()));
            const LimitEntry none{.key = key};
            answer(described(key, owner, policy::state_of(owner, find(*entries, key).value_or(none))));
        });
}

void LimitsCommands::reset(const std::string& key, uid_t user, AdminSocket::Answer answer) {
    const auto owner = policy::owner_of(key, books_->limits, books_->guessing, "");
    if (owner && owner->is_at_a_time) {
        // Each of them leaves when it ends: forgotten now, they would then be taken off the count of others.
        return answer(fail("the sessions under " + printable(key) +
                           " are there now: they leave by themselves, and cannot be forgotten"));
    }
    books_->inventory.forget({key}, loop_,
                             [this, key, user, answer = std::move(answer)](Result<bool> was_there) mutable {
                                 if (!was_there) return answer(std::unexpected(was_there.error()));
                                 if (!*was_there) return answer(nothing_counted(key));
                                 if (books_->forgotten) books_->forgotten(key);
                                 const std::string what = "forgot what was counted under " + printable(key);
                                 log_.log(conf::LogEvent::admin_command,
                                          {{conf::LogField::uid, user}, {conf::LogField::what, what}});
                                 answer(what);
                             });
}

}  // namespace gatepost::server

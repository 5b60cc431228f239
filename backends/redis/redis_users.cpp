#include "backends/redis/redis_users.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "auth/dialogue/names.h"
#include "backends/redis/redis_credential.h"
#include "proxy/base/printable.h"

namespace gatepost::backends {

using auth::DirectoryError;
using auth::FromDirectory;
using auth::UserChange;
using Kind = RedisReply::Kind;
using UserPtr = std::shared_ptr<const auth::StoredCredential>;

namespace {

constexpr int kMostTries = 5;
constexpr std::size_t kMostLookups = 200;

std::unexpected<DirectoryError> wrong(std::string message) {
    return std::unexpected(DirectoryError{DirectoryError::Kind::kWrong, std::move(message)});
}

std::unexpected<DirectoryError> unreachable(std::string message) {
    return std::unexpected(DirectoryError{DirectoryError::Kind::kUnreachable, std::move(message)});
}

/// What `change` needs to be true, when it is not.
std::optional<std::string> objection(const UserChange& change, bool is_there) {
    using Expect = UserChange::Expect;
    if (is_there && change.expect == Expect::kAbsent)
        return "user " + printable(change.user) + " is there already";
    if (!is_there && (change.expect == Expect::kThere || !change.record))
        return "there is no user " + printable(change.user);
    return std::nullopt;
}

}  // namespace

RedisUsers::RedisUsers(RedisStoreSettings settings)
    : name_(std::move(settings.name)),
      key_(std::move(settings.key)),
      resolver_(background_),
      connection_(loop_, resolver_, std::move(settings.redis), static_cast<RedisObserver&>(*this)) {}

void RedisUsers::on_redis_connected(std::string_view /*server*/) {
    ++connections_;
    trouble_.clear();
}

void RedisUsers::on_redis_lost(std::string_view server, std::string_view reason) {
    trouble_ = server.empty() ? std::string(reason) : std::string(server) + ": " + std::string(reason);
}

FromDirectory<RedisUsers::Replies> RedisUsers::ask(const std::vector<Words>& commands) {
    Replies replies(commands.size());
    std::size_t unanswered = commands.size();
    std::optional<RedisStatus> failure;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        connection_.command(commands[i], [&, i](RedisOutcome outcome) {
            if (outcome.status == RedisStatus::kReply) {
                replies[i] = std::move(outcome.reply);
            } else if (!failure) {
                failure = outcome.status;
            }
            if (--unanswered == 0) loop_.stop();
        });
    }
    if (unanswered != 0) loop_.run();
    if (!failure) return replies;
    // The answer that made the connection end says more than its end.
    const auto error = std::ranges::find(replies, Kind::kError, &RedisReply::kind);
    if (error != replies.end()) return std::unexpected(error_of(*error));
    const std::string what = !trouble_.empty() ? trouble_ : "no answer in time";
    return unreachable("backend " + printable(name_) + ": Redis cannot be asked: " + what);
}

FromDirectory<RedisUsers::Replies> RedisUsers::ask_well(const std::vector<Words>& commands) {
    FromDirectory<Replies> replies = ask(commands);
    if (!replies) return replies;
    const auto error = std::ranges::find(*replies, Kind::kError, &RedisReply::kind);
    if (error != replies->end()) return std::unexpected(error_of(*error));
    return replies;
}

DirectoryError RedisUsers::error_of(const RedisReply& reply) const {
    const std::string code = printable(reply.error_code(), 32);
    std::string why = "Redis answered " + code;
    if (code == "WRONGTYPE") why += ": the key of a user (" + printable(key_) + ") holds something else";
    if (code == "NOPERM")
        why +=
            ": the Redis user of this backend may only read; `gatepost user` needs a configuration with "
            "one who may also watch, multi, exec, hset, hdel, del, hlen and scan";
    if (code == "NOAUTH") why += ": it wants a password (password_file of the backend)";
    if (code == "READONLY") why += ": it is a replica; name its master, or a Sentinel";
    if (code == "OOM") why += ": its memory is full";
    return {code == "WRONGTYPE" ? DirectoryError::Kind::kWrong : DirectoryError::Kind::kUnreachable,
            "backend " + printable(name_) + ": " + why};
}

// ---- reading

FromDirectory<UserPtr> RedisUsers::find(std::string_view user) {
    const std::string key = redis_key(key_, user);
    const auto replies = ask_well({{"HGETALL", key}});
    if (!replies) return std::unexpected(replies.error());
    const auth::Lookup lookup = lookup_of(replies->front(), user);
    if (lookup.status == auth::Lookup::Status::kUnavailable)
        return unreachable("backend " + printable(name_) + ": Redis gave an answer that cannot be");
    return lookup.credential;
}

FromDirectory<std::vector<std::string>> RedisUsers::names() {
    const std::string pattern = redis_scan_pattern(key_);
    std::set<std::string> found;  // SCAN may show a key twice
    std::string cursor = "0";
    do {
        const auto replies = ask_well({{"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}});
        if (!replies) return std::unexpected(replies.error());
        const RedisReply& page = replies->front();
        if (!page.is(Kind::kArray) || page.items.size() != 2 || !page.items[0].is(Kind::kText) ||
            !page.items[1].is(Kind::kArray))
            return unreachable("backend " + printable(name_) + ": Redis gave an answer that cannot be");
        cursor = page.items[0].octets.reveal();
        for (const RedisReply& key : page.items[1].items) {
            if (auto user = user_of_redis_key(key_, key.octets.reveal())) found.insert(std::move(*user));
        }
    } while (cursor != "0");
    return std::vector<std::string>(found.begin(), found.end());
}

FromDirectory<std::vector<UserPtr>> RedisUsers::all() {
    const auto users = names();
    if (!users) return std::unexpected(users.error());
    std::vector<UserPtr> found;
    for (std::size_t from = 0; from < users->size(); from += kMostLookups) {
        const std::span part = std::span(*users).subspan(from, std::min(kMostLookups, users->size() - from));
        std::vector<std::string> keys;
        for (const std::string& user : part) keys.push_back(redis_key(key_, user));
        std::vector<Words> commands;
        for (const std::string& key : keys) commands.push_back({"HGETALL", key});
        const auto replies = ask(commands);
        if (!replies) return std::unexpected(replies.error());
        for (std::size_t i = 0; i < part.size(); ++i) {
            const RedisReply& reply = (*replies)[i];
            if (reply.is(Kind::kError) && reply.error_code() != "WRONGTYPE")
                return std::unexpected(error_of(reply));
            if (auth::Lookup lookup = lookup_of(reply, part[i]); lookup.credential)
                found.push_back(std::move(lookup.credential));
        }
    }
    return found;
}

FromDirectory<std::vector<bool>> RedisUsers::known(std::span<const std::string> users) {
    std::vector<bool> are_known;
    for (std::size_t from = 0; from < users.size(); from += kMostLookups) {
        std::vector<std::string> keys;
        for (const std::string& user : users.subspan(from, std::min(kMostLookups, users.size() - from)))
            keys.push_back(redis_key(key_, user));
        std::vector<Words> commands;
        for (const std::string& key : keys) commands.push_back({"HLEN", key});
        const auto replies = ask_well(commands);
        if (!replies) return std::unexpected(replies.error());
        for (const RedisReply& reply : *replies) are_known.push_back(reply.integer > 0);
    }
    return are_known;
}

// ---- writing

FromDirectory<std::size_t> RedisUsers::write(std::span<const UserChange> changes) {
    std::size_t were_there = 0;
    std::size_t written = 0;
    const auto failed = [&written](DirectoryError error) {
        if (written != 0) error.message += " (" + std::to_string(written) + " users were written before)";
        return std::unexpected(std::move(error));
    };
    for (const UserChange& change : changes) {
        if (!auth::is_acceptable_name(change.user))
            return wrong(
                "a name has 1 to 255 octets of UTF-8, no control characters and no blank at either end");
    }
    while (written < changes.size()) {
        const std::span part = changes.subspan(written, std::min(kMostInOne, changes.size() - written));
        std::optional<std::size_t> done;
        for (int tries = 0; !done && tries < kMostTries; ++tries) {
            const auto outcome = write_once(part);
            if (!outcome) return failed(outcome.error());
            done = *outcome;
        }
        if (!done)
            return failed({DirectoryError::Kind::kUnreachable,
                           "somebody else changes these users at the same time: try again"});
        were_there += *done;
        written += part.size();
    }
    return were_there;
}

std::vector<std::string> RedisUsers::keys_of(std::span<const UserChange> changes) const {
    std::vector<std::string> keys;
    for (const UserChange& change : changes) keys.push_back(redis_key(key_, change.user));
    return keys;
}

FromDirectory<std::optional<std::size_t>> RedisUsers::write_once(std::span<const UserChange> changes) {
    const std::vector<std::string> keys = keys_of(changes);
    Words watch{"WATCH"};
    watch.insert(watch.end(), keys.begin(), keys.end());
    std::vector<Words> questions{watch};
    for (const std::string& key : keys) questions.push_back({"HLEN", key});
    const auto replies = ask_well(questions);
    if (!replies) return std::unexpected(replies.error());
    const std::size_t watched_by = connections_;
    std::size_t were_there = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const bool is_there = (*replies)[i + 1].integer > 0;
        if (const auto reason = objection(changes[i], is_there)) {
            const auto forgotten = ask({{"UNWATCH"}});
            return wrong(*reason);
        }
        were_there += is_there ? 1 : 0;
    }
    // Another connection than the one that watches would write whatever has happened since.
    if (!connection_.is_connected() || connections_ != watched_by) return std::nullopt;
    const FromDirectory<bool> is_written = write_watched(changes, keys);
    if (!is_written) return std::unexpected(is_written.error());
    return *is_written ? std::optional(were_there) : std::nullopt;
}

/// All commands of it leave in one turn, so by one connection. false: a watched key had changed.
FromDirectory<bool> RedisUsers::write_watched(std::span<const UserChange> changes,
                                              std::span<const std::string> keys) {
    std::vector<Words> commands{{"MULTI"}};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        Words set{"HSET", keys[i]};
        Words drop{"HDEL", keys[i]};
        if (changes[i].record) {
            set.insert(set.end(), {"record", changes[i].record->reveal()});
            drop.emplace_back("scram-sha-256");  // keys of the old password
        }
        for (const auto& [attribute, value] : changes[i].attributes) {
            if (value) {
                set.insert(set.end(), {attribute, *value});
            } else {
                drop.emplace_back(attribute);
            }
        }
        if (set.size() > 2) commands.push_back(std::move(set));
        if (drop.size() > 2) commands.push_back(std::move(drop));
    }
    commands.push_back({"EXEC"});
    const auto replies = ask_well(commands);
    if (!replies) return std::unexpected(replies.error());
    const RedisReply& result = replies->back();
    if (result.is(Kind::kNil)) return false;
    const auto error = std::ranges::find(result.items, Kind::kError, &RedisReply::kind);
    if (error != result.items.end()) return std::unexpected(error_of(*error));
    return true;
}

FromDirectory<bool> RedisUsers::remove(std::string_view user) {
    const std::string key = redis_key(key_, user);
    // What is no hash is no user's, whatever its key.
    const auto fields = ask_well({{"HLEN", key}});
    if (!fields) return std::unexpected(fields.error());
    if (fields->front().integer == 0) return false;
    const auto gone = ask_well({{"DEL", key}});
    if (!gone) return std::unexpected(gone.error());
    return gone->front().integer > 0;
}

}  // namespace gatepost::backends

#include "backends/redis/limit_listing.h"

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backends/redis/limit_script.h"

namespace gatepost::backends {

namespace {

using policy::LimitEntry;
using Entries = policy::LimitInventory::Entries;
using Kind = RedisReply::Kind;

/// Keys that Redis looks at in one step.
constexpr std::string_view kStep = "1000";
/// Of a Redis that holds much else.
constexpr int kMostSteps = 50'000;

/// Sessions lie a part further; what does not begin with `prefix` is sorted out afterwards.
std::string pattern_of(std::string_view prefix) {
    std::string pattern = "gatepost:*";
    for (const char octet : prefix) {
        if (std::string_view("*?[]\\").find(octet) != std::string_view::npos) pattern += '\\';
        pattern += octet;
    }
    return pattern + "*";
}

std::unexpected<Error> trouble(const RedisOutcome& outcome) {
    switch (outcome.status) {
        case RedisStatus::kReply: {
            const std::string_view code = outcome.reply.error_code();
            return fail(code.empty() ? "Redis answers what is not understood"
                                     : "Redis answers " + std::string(code));
        }
        case RedisStatus::kTimedOut: return fail("Redis does not answer in time");
        case RedisStatus::kDisconnected:
        case RedisStatus::kRefused: break;
    }
    return fail("Redis cannot be reached");
}

/// Keeps itself alive by the command that is under way.
class Listing : public std::enable_shared_from_this<Listing> {
  public:
    Listing(RedisConnection& connection, std::string prefix, std::size_t most, std::string clock,
            std::move_only_function<void(Entries)> answer)
        : connection_(connection),
          prefix_(std::move(prefix)),
          pattern_(pattern_of(prefix_)),
          clock_(std::move(clock)),
          most_(most),
          answer_(std::move(answer)) {}

    void scan() {
        connection_.command(
            {"SCAN", cursor_, "MATCH", pattern_, "COUNT", kStep},
            [self = shared_from_this()](const RedisOutcome& outcome) { self->on_scanned(outcome); });
    }

  private:
    void on_scanned(const RedisOutcome& outcome) {
        const RedisReply& reply = outcome.reply;
        const bool is_good = outcome.status == RedisStatus::kReply && reply.is(Kind::kArray) &&
                             reply.items.size() == 2 && reply.items[0].is(Kind::kText);
        if (!is_good) return answer_(trouble(outcome));
        cursor_ = reply.items[0].octets.reveal();
        keys_.clear();
        for (const RedisReply& item : reply.items[1].items) {
            std::string key(item.octets.reveal());
            const auto limit = limit_key_of(key);
            if (limit && limit->text.starts_with(prefix_) && seen_.insert(key).second)
                keys_.push_back(std::move(key));
        }
        if (keys_.empty()) return go_on();
        show();
    }

    void show() {
        const std::string count = std::to_string(keys_.size() + 1);
        std::vector<ByteView> words{"EVAL", show_script(), count, kReplicasKey};
        words.insert(words.end(), keys_.begin(), keys_.end());
        words.emplace_back(clock_);
        connection_.command(
            words, [self = shared_from_this()](const RedisOutcome& outcome) { self->on_shown(outcome); });
    }

    void on_shown(const RedisOutcome& outcome) {
        const RedisReply& reply = outcome.reply;
        if (outcome.status != RedisStatus::kReply || !reply.is(Kind::kArray) ||
            reply.items.size() != keys_.size())
            return answer_(trouble(outcome));
        for (std::size_t i = 0; i < keys_.size() && found_.size() < most_; ++i) {
            const long long shown = reply.items[i].integer;
            if (shown <= 0) continue;
            const KeyOfLimit limit = *limit_key_of(keys_[i]);
            LimitEntry& entry = found_.emplace_back(LimitEntry{.key = std::string(limit.text)});
            if (limit.is_of_sessions) {
                entry.there_now = static_cast<std::uint64_t>(shown);
            } else {
                entry.empty_after = std::chrono::milliseconds(shown);
            }
        }
        go_on();
    }

    void go_on() {
        if (found_.size() >= most_ || cursor_ == "0" || ++steps_ == kMostSteps)
            return answer_(std::move(found_));
        scan();
    }

    RedisConnection& connection_;  ///< not used after a command has failed: it may be gone
    const std::string prefix_;
    const std::string pattern_;
    const std::string clock_;
    const std::size_t most_;
    std::move_only_function<void(Entries)> answer_;
    std::string cursor_ = "0";
    std::vector<std::string> keys_;  ///< of this step
    std::unordered_set<std::string> seen_;
    std::vector<LimitEntry> found_;
    int steps_ = 0;
};

}  // namespace

void list_limits(RedisConnection& connection, std::string prefix, std::size_t most, std::string clock,
                 std::move_only_function<void(Entries)> answer) {
    std::make_shared<Listing>(connection, std::move(prefix), most, std::move(clock), std::move(answer))
        ->scan();
}

void forget_limit(RedisConnection& connection, const std::string& key,
                  std::move_only_function<void(Result<bool>)> answer) {
    const std::string rate = rate_key(key);
    const std::string sessions = sessions_key(key);
    connection.command({"EVAL", forget_script(), "2", rate, sessions},
                       [answer = std::move(answer)](const RedisOutcome& outcome) mutable {
                           const bool is_good =
                               outcome.status == RedisStatus::kReply && outcome.reply.is(Kind::kInteger);
                           if (!is_good) return answer(trouble(outcome));
                           answer(outcome.reply.integer > 0);
                       });
}

}  // namespace gatepost::backends

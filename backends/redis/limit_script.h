// The scripts that count limits inside a Redis, and how questions and answers travel to and from them. Counts
// in whole grains, as proxy/policy/gcra does, but with microseconds: exact below 2^53 grains. Pure. Any
// thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/redis/redis_reply.h"
#include "proxy/policy/limit_store.h"

namespace gatepost::backends {

inline constexpr std::string_view kReplicasKey = "gatepost:replicas";

/// Where the state of a rate is: "LEVEL TIME GRAINS-OF-AN-EVENT".
[[nodiscard]] std::string rate_key(std::string_view key);
/// Where is who is there now: a hash of counts, with a field for each store of each replica.
[[nodiscard]] std::string sessions_key(std::string_view key);
/// The key of a limit that either of them belongs to; nothing when it is none.
struct KeyOfLimit {
    std::string_view text;
    bool is_of_sessions = false;
};
[[nodiscard]] std::optional<KeyOfLimit> limit_key_of(std::string_view redis_key);

/// Answers a batch of LimitStore::ask().
[[nodiscard]] std::string_view limit_script();
/// KEYS[1] kReplicasKey, ARGV: clock, replica. Notes that the replica lives; answers how many do.
[[nodiscard]] std::string_view heartbeat_script();
/// KEYS sessions_key()s, ARGV: field, then a count for each. What one store counts there now.
[[nodiscard]] std::string_view restate_script();
/// KEYS[1] kReplicasKey, then some of either kind, ARGV: clock. Answers milliseconds until worn off, or how
/// many are there; 0 = nothing.
[[nodiscard]] std::string_view show_script();
/// KEYS a rate_key() and a sessions_key(). Answers how many were deleted; nothing else ever is.
[[nodiscard]] std::string_view forget_script();

/// Who asks, and when by his own clock.
struct LimitAsker {
    std::string_view field;  ///< "REPLICA/STORE"
    std::string_view clock;  ///< "" = Redis's own; else microseconds, for tests
    TimePoint now;
};

/// The words of a command behind the script: how many keys, the keys, the arguments.
[[nodiscard]] std::vector<std::string> limit_words(std::span<const policy::LimitQuestion> batch,
                                                   const LimitAsker& asker);

struct LimitScriptAnswers {
    policy::LimitAnswers answers;
    std::vector<bool> are_counted;  ///< not what fits, but was held up by another question of its batch
};
/// Nothing: it is no answer of the script.
[[nodiscard]] std::optional<LimitScriptAnswers> limit_answers(std::span<const policy::LimitQuestion> batch,
                                                              const RedisReply& reply);

}  // namespace gatepost::backends

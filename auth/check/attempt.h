// One AUTH of one connection as the verifier sees it: the messages so far, the record behind them, and the
// exchange inside the mechanism engine. Shared with the job that runs its step: whoever lets go last disposes
// of the exchange. One thread at a time, handed over whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "auth/check/keyed_digest.h"
#include "auth/check/record_attributes.h"
#include "auth/check/record_check.h"
#include "auth/dialogue/channel.h"
#include "auth/dialogue/mechanism_engine.h"
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/clock.h"
#include "proxy/base/ids.h"

namespace gatepost::auth {

struct Attempt {
    Attempt(ConnectionId connection, const std::string& name, Channel channel_facts);

    const ConnectionId id;
    const std::string mechanism;
    const bool asks_elsewhere;  ///< who it is, the engine finds out elsewhere (Mechanism::asks_elsewhere)
    const Channel channel;
    MessageGrammar grammar;
    std::unique_ptr<MechanismExchange> exchange;  ///< from the first message on
    std::optional<Secret> message;                ///< of the step in progress
    std::optional<RecordCheck> check;             ///< once a message has needed the record
    std::string vouched_for;                      ///< whom the engine says it is, of those that ask elsewhere
    std::string backend;                          ///< who knows the user; "" while nobody does
    RecordAttributes attributes;                  ///< what that record says of him
    Secret version;                               ///< of what the password is checked against, for the cache
    TimePoint asked_at{};                         ///< when the backend was, that is being asked now
    std::uint64_t generation = 0;                 ///< of the user in the cache, before the backend was asked
    bool is_remembered = false;                   ///< the password was right a moment ago
    bool is_cacheable = false;     ///< an enabled user's password: what it comes to may be remembered
    std::optional<Digest> flight;  ///< the check that others wait for too
    bool is_busy = false;          ///< a step was given and not yet answered; home thread
    std::atomic<bool> is_cancelled = false;

    /// Whom the client claims to be, as far as is known.
    [[nodiscard]] const std::string& user() const {
        if (asks_elsewhere) return vouched_for;
        return mechanism == "EXTERNAL" ? channel.certificate_name : grammar.user();
    }

    /// Whether the step in progress must have the user's record at hand.
    [[nodiscard]] bool needs_record() const { return grammar.needs_record() || mechanism == "EXTERNAL"; }

    /// Whether the step in progress makes SCRAM keys from a password, which takes milliseconds.
    [[nodiscard]] bool derives_keys() const {
        return check && grammar.needs_record() && !check->has_keys_at_hand() && scram_hash_of(mechanism);
    }

    /// The password in the message of the step in progress.
    [[nodiscard]] ByteView password() const { return password_in(message->reveal()); }

    [[nodiscard]] Secret password_secret() const { return Secret(password()); }

    /// What the engine is told of the channel.
    [[nodiscard]] ExchangeFacts facts() const;

    /// Runs the step: with admit() the only function that can accept. Home or pool thread.
    [[nodiscard]] Verdict run();

    /// Whom the engine vouches for and what the stores say of him together: he is accepted unless one of them
    /// knows him as disabled. Home thread, once `vouched_for` and `check` are there.
    [[nodiscard]] Verdict admit();

  private:
    [[nodiscard]] Verdict believed(Verdict verdict);
    [[nodiscard]] Verdict vouched(Verdict verdict);
    [[nodiscard]] Identity identity() const {
        return {.user = user(), .mechanism = mechanism, .backend = backend, .is_remembered = is_remembered};
    }
    [[nodiscard]] bool proves_disabled_user() const;
};

/// A verdict that is none of success.
[[nodiscard]] Verdict refusal(Outcome outcome, Reason reason);

}  // namespace gatepost::auth

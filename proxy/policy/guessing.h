// The rules against guessing passwords: which counts to look at before a password is checked, what follows
// from them, and which to raise after a failure. Counts nothing itself; only failures are ever counted.
// Immutable: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"
#include "proxy/policy/limit_store.h"
#include "proxy/policy/peer_address.h"

namespace gatepost::policy {

struct GuessingSettings {
    struct Failures {
        std::uint64_t count = 0;
        Duration per{};
        bool operator==(const Failures&) const = default;
    };

    // Nothing: that rule is off.
    std::optional<Failures> per_ip;
    std::optional<Failures> per_network;
    std::optional<Failures> per_user_and_network;
    std::optional<Duration> per_user_delay;  ///< the longest delay
    unsigned ipv4_prefix = 24;               ///< what a network is
    unsigned ipv6_prefix = 64;
    bool operator==(const GuessingSettings&) const = default;
};

enum class GuessingRule { kIp, kNetwork, kUserAndNetwork, kUser };

/// "per_ip" and so on, as the configuration spells them.
[[nodiscard]] ByteView name_of(GuessingRule rule);

/// Check the password, `delay` from now (mostly zero). The delay comes before the check and whatever its
/// outcome, so that it says nothing about the password.
struct GoOn {
    Duration delay{};
    bool operator==(const GoOn&) const = default;
};

/// Check nothing: hash no password, ask no store. Not a failure to be counted again.
struct RefuseGuess {
    GuessingRule rule = GuessingRule::kIp;
    Duration retry_after{};
    std::string key{};  ///< under which the failures are counted
    bool operator==(const RefuseGuess&) const = default;
};

/// The store cannot say, and nothing that it did say refuses: what then is the operator's choice
/// (limit_store.when_unavailable), so the caller's.
struct CannotTell {
    bool operator==(const CannotTell&) const = default;
};

using GuessingVerdict = std::variant<GoOn, RefuseGuess, CannotTell>;

/// Who asks: trusted networks and probes are the caller's to leave out, before and after. `user` is the
/// canonical name; an empty one (not known before the mechanism runs) leaves the user's rules out.
class Guessing {
  public:
    explicit Guessing(const GuessingSettings& settings) : settings_(settings) {}

    /// Ask the store these before any hash (none: all rules are off) and give the answers to verdict().
    [[nodiscard]] std::vector<LimitQuestion> questions_before(const PeerAddress& address,
                                                              ByteView user) const;

    /// `answers` to questions_before() of the same address and user.
    [[nodiscard]] GuessingVerdict verdict(const PeerAddress& address, ByteView user,
                                          std::span<const LimitAnswer> answers) const;

    /// Ask the store these for a failure whose answer is 535 (and only then); the answers do not matter.
    [[nodiscard]] std::vector<LimitQuestion> charges_after_failure(const PeerAddress& address,
                                                                   ByteView user) const;

    struct KeyOwner {
        GuessingRule rule = GuessingRule::kIp;
        Rate rate;
    };
    /// Which rule counts under `key`; nothing when none does.
    [[nodiscard]] std::optional<KeyOwner> owner_of(ByteView key) const;

    bool operator==(const Guessing&) const = default;

  private:
    [[nodiscard]] std::vector<GuessingRule> rules_for(const PeerAddress& address, ByteView user) const;
    [[nodiscard]] std::vector<LimitQuestion> ask(const PeerAddress& address, ByteView user,
                                                 Counting counting) const;
    [[nodiscard]] LimitKey key_of(GuessingRule rule, const PeerAddress& address, ByteView user) const;
    [[nodiscard]] Rate rate_of(GuessingRule rule) const;
    [[nodiscard]] bool is_on(GuessingRule rule) const;
    [[nodiscard]] std::string network_text(const PeerAddress& address) const;
    [[nodiscard]] Duration delay_for(std::uint64_t failures) const;

    GuessingSettings settings_;
};

}  // namespace gatepost::policy

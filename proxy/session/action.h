// What a conversation wants done, in the imperative. Implemented by what owns the sockets; none of these
// calls back into the conversation before it returns. An interface instead of a list of values: a command
// costs no allocation. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "auth/dialogue/verifier.h"
#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"
#include "proxy/policy/limit_store.h"
#include "proxy/session/fact.h"

namespace gatepost::session {

enum class UpstreamGoodbye {
    kAbort,   ///< at once, so that nothing unfinished can count as a message
    kQuit,    ///< QUIT was sent: let it go out first
    kReturn,  ///< no transaction is open on it and nothing is awaited: whoever is next may have it
};

/// What kind of connection a transaction needs. Views are valid during the call.
struct UpstreamWanted {
    std::size_t upstream = 0;          ///< index in Settings::upstreams
    bool is_new = false;               ///< no transaction may have been on it before
    std::string_view greeting_name{};  ///< of the client …
    bool is_esmtp = false;
    std::string_view user{};  ///< … and who it has proved to be; "" without AUTH
};

class Actions {
  public:
    virtual ~Actions() = default;

    virtual void send_to_client(ByteView octets) = 0;
    virtual void send_to_upstream(ByteView octets) = 0;

    /// The handshake of implicit TLS may begin.
    virtual void admit_client() = 0;
    /// Takes the right to one handshake, until it is over. False: as many as are allowed are under way
    /// already.
    [[nodiscard]] virtual bool take_handshake_slot() = 0;
    /// Handshake with the client; octets already received behind STARTTLS were refused before.
    virtual void start_tls() = 0;

    virtual void ask_verifier(auth::Step step) = 0;
    virtual void cancel_verifier() = 0;

    /// LimitsAnswered follows, never inside this call, unless another question is asked first.
    virtual void ask_limits(std::vector<policy::LimitQuestion> questions) = 0;
    /// What was asked last is not waited for any more: what it counts is given back when the answer comes.
    /// These were the questions.
    virtual void forget_limits(std::vector<policy::LimitQuestion> asked) = 0;
    /// Counts; nobody waits for the answer.
    virtual void charge_limits(std::vector<policy::LimitQuestion> questions) = 0;

    /// UpstreamReady or UpstreamNotOpened follows, never inside this call, unless it is left before.
    virtual void open_upstream(const UpstreamWanted& wanted) = 0;
    virtual void leave_upstream(UpstreamGoodbye goodbye) = 0;

    /// One deadline at a time; setting forgets the one before.
    virtual void set_deadline(Duration from_now) = 0;

    /// Octets that the conversation left unconsumed can be shown again.
    virtual void resume_client() = 0;

    virtual void report(const Fact& fact) = 0;

    /// Sends what is on its way to the client, then closes. The conversation says nothing afterwards.
    virtual void close(CloseReason reason) = 0;
};

}  // namespace gatepost::session

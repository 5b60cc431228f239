// What can happen to a conversation, as values in the past tense. Time and octets arrive here and nowhere
// else. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/dialogue/verdict.h"
#include "proxy/base/bytes.h"
#include "proxy/base/clock.h"
#include "proxy/policy/limit_store.h"
#include "proxy/session/fact.h"
#include "proxy/smtp/capabilities.h"

namespace gatepost::session {

/// What of the settings' mechanisms can be had on this connection, now.
struct AuthOffer {
    /// Those that every backend can serve, in the settings' order; nullptr = all of the settings'.
    std::shared_ptr<const std::vector<std::string>> servable;
    bool has_certificate = false;  ///< the client showed one that names somebody: EXTERNAL
};

/// On implicit TLS, before the handshake. Actions::admit_client() follows, or the end; then ClientConnected.
struct ClientArrived {};

/// The client is there, on implicit TLS with its handshake done. `offer` is what a message can use at the
/// upstreams that the listener reaches, as last probed.
struct ClientConnected {
    bool tls = false;
    smtp::Capabilities offer;
    AuthOffer auth{};
};

/// The handshake that Actions::start_tls() began is complete.
struct TlsEstablished {
    smtp::Capabilities offer;
    AuthOffer auth{};
};

/// Everything received and not consumed. `now` is for the Received: line.
struct BytesFromClient {
    ByteView bytes;
    WallTime now;
};

struct BytesFromUpstream {
    ByteView bytes;
};

struct VerdictArrived {
    auth::Verdict verdict;
};

/// To what Actions::ask_limits() asked last, in the same order. `now` is for LimitQuestion::counted_at.
struct LimitsAnswered {
    policy::LimitAnswers answers;
    TimePoint now{};
};

/// The connection that Actions::open_upstream() asked for is there: greeted, secured, authenticated, and told
/// who the client is, as configured.
struct UpstreamReady {
    smtp::Capabilities capabilities{};
    bool was_used = false;  ///< for a transaction before: it may be stale
};

/// It cannot be had.
struct UpstreamNotOpened {
    UpstreamOutcome how = UpstreamOutcome::kUnreachable;
    std::string_view what{};  ///< more about it, for the log; valid during the call
};

/// The connection ended.
struct UpstreamLost {};

/// The deadline set last has passed. `upstream_is_stuck`: octets wait that the upstream does not take.
struct TimerFired {
    bool upstream_is_stuck = false;
};

struct ClientClosed {};

/// It is over, whatever is under way: the process ends, or the client has sent more than can be kept.
struct SessionCut {};

/// An operator ends it: 421 where the client can hear it. A message whose answer is awaited is waited for.
struct KickRequested {};

/// The process is about to end: say 421 as soon as it can be heard and no transaction is cut by it.
struct DrainRequested {};

}  // namespace gatepost::session

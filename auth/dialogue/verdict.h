// What the judge of one AUTH step answers. A value; travels between threads.
#pragma once

#include <string>
#include <string_view>

#include "auth/dialogue/identity.h"

namespace gatepost::auth {

enum class Outcome {
    kChallenge,  ///< go on: send `challenge`, expect one more client message
    kAccepted,   ///< `identity` is proved
    kRejected,   ///< unknown user, wrong password, disabled, not allowed to act for another: all the same to
                 ///< the client (535)
    kMalformed,  ///< the message is not of the mechanism's grammar (501)
    kUnavailable,  ///< the store or the engine cannot answer: never "wrong password" (454)
    kBusy,         ///< the verify pool's queue is full (454)
};

/// Why, for logs and metrics; never shown to the client.
enum class Reason {
    kNone,
    kUnknownUser,
    kWrongPassword,
    kDisabled,
    kWrongRecord,    ///< the user's record cannot serve this mechanism
    kDowngraded,     ///< somebody hid from the client that channels can be bound here
    kNotAuthorized,  ///< an authzid that is another user
    kBadMessage,
    kStoreFailed,
    kBadRecord,      ///< what the store holds of the user is no record: the operator's to mend
    kStoreTimedOut,  ///< no answer by the store's own deadline
    kEngineFailed,
    kQueueFull,
    kDeadline,      ///< of ours: nobody came to check it in time
    kCancelled,     ///< by the client's "*"
    kClientSilent,  ///< the client's next line did not come in time
    kClientGone,
};

[[nodiscard]] std::string_view to_string(Reason reason);

struct Verdict {
    Outcome outcome = Outcome::kUnavailable;  ///< fails closed: nobody is accepted by a default
    Reason reason = Reason::kEngineFailed;
    std::string challenge;  ///< raw octets (not base64), for kChallenge
    Identity identity;  ///< whole for kAccepted; for every other outcome `user` as far as the client named it
    bool is_guess = false;  ///< of kUnavailable, kBusy: not the password that was right a moment ago
};

}  // namespace gatepost::auth

#include "auth/dialogue/verdict.h"

namespace gatepost::auth {

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::kNone: return "none";
        case Reason::kUnknownUser: return "unknown_user";
        case Reason::kWrongPassword: return "wrong_password";
        case Reason::kDisabled: return "disabled";
        case Reason::kWrongRecord: return "wrong_record";
        case Reason::kDowngraded: return "downgraded";
        case Reason::kNotAuthorized: return "not_authorized";
        case Reason::kBadMessage: return "bad_message";
        case Reason::kStoreFailed: return "store_failed";
        case Reason::kBadRecord: return "bad_record";
        case Reason::kStoreTimedOut: return "store_timed_out";
        case Reason::kEngineFailed: return "engine_failed";
        case Reason::kQueueFull: return "queue_full";
        case Reason::kDeadline: return "deadline";
        case Reason::kCancelled: return "cancelled";
        case Reason::kClientSilent: return "client_silent";
        case Reason::kClientGone: return "client_gone";
    }
    return "unknown";
}

}  // namespace gatepost::auth

// A step of a session that waits for what the limits say of it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/base/clock.h"
#include "proxy/policy/limits.h"

namespace gatepost::session {

struct LimitedStep {
    enum class What : std::uint8_t {
        kConnect,    ///< the greeting
        kAuth,       ///< the next step of an AUTH exchange, which is looked at (guessing.cpp)
        kLogin,      ///< 235
        kMail,       ///< MAIL
        kRecipient,  ///< RCPT
        kChunk,      ///< a chunk of BDAT, before its first octet
        kEndOfData,  ///< the end mark, which is held back
    };

    What what = What::kConnect;
    policy::LimitBatch batch;
    std::uint64_t message_size = 0;  ///< octets so far, where more of them are asked for
    std::size_t guesses = 0;         ///< kAuth: so many questions in front are of the rules against guessing
    Duration wait{};                 ///< for room, now
    Duration waited{};               ///< in all
};

/// What a rule under `limits:` has counted of a message, as the question that gives it back.
struct LimitCharge {
    std::uint32_t rule = 0;
    policy::LimitQuestion undo;
};

}  // namespace gatepost::session

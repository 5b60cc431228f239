// What is allowed when: one row a verb, no wildcards. What happens is in the conversation. The golden table
// of tests/unit/proxy/smtp is printed from this and reviewed by people. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "proxy/smtp/command.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::smtp {

/// Where a client is in the sequence of RFC 5321 section 4.1.4.
enum class Phase : std::uint8_t {
    kConnected,  ///< greeted by us, no EHLO or HELO yet
    kGreeted,    ///< EHLO or HELO done, no transaction
    kMail,       ///< MAIL given, no RCPT
    kRcpt,       ///< RCPT given
    kChunks,     ///< BDAT chunks have begun
};
inline constexpr int kPhaseCount = static_cast<int>(Phase::kChunks) + 1;

/// nullptr = allowed; else what the client hears.
using Refusal = const StaticReply*;

struct CommandRow {
    Verb verb;
    std::array<Refusal, kPhaseCount> by_phase;  ///< kConnected kGreeted kMail kRcpt kChunks
    bool before_tls;                            ///< allowed before TLS where the listener requires TLS
    bool needs_auth;                            ///< 530 without authentication where the listener requires it
    bool takes_argument;                        ///< 501 for an argument where there is none to take
};

namespace table {
inline constexpr Refusal kYes = nullptr;
inline constexpr Refusal kGreet = &replies::kGreetFirst;
inline constexpr Refusal kInside = &replies::kInTransaction;
inline constexpr Refusal kNested = &replies::kNestedMail;
inline constexpr Refusal kNoMail = &replies::kMailFirst;
inline constexpr Refusal kNoRcpt = &replies::kRecipientFirst;
inline constexpr Refusal kOnlyBdat = &replies::kChunksBegun;
inline constexpr Refusal kNone = &replies::kNotImplemented;
inline constexpr Refusal kWhat = &replies::kUnrecognized;
}  // namespace table

// clang-format off
inline constexpr std::array<CommandRow, kVerbCount> kCommandTable{{
    //                 connected       greeted         mail            rcpt            chunks          pre-TLS auth  argument
    {Verb::kHelo,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    true,  false, true},
    {Verb::kEhlo,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    true,  false, true},
    {Verb::kStartTls, {table::kYes,    table::kYes,    table::kInside, table::kInside, table::kInside}, true,  false, false},
    {Verb::kAuth,     {table::kGreet,  table::kYes,    table::kInside, table::kInside, table::kInside}, false, false, true},
    {Verb::kMail,     {table::kGreet,  table::kYes,    table::kNested, table::kNested, table::kNested}, false, true,  true},
    {Verb::kRcpt,     {table::kGreet,  table::kNoMail, table::kYes,    table::kYes,    table::kOnlyBdat}, false, true, true},
    {Verb::kData,     {table::kGreet,  table::kNoMail, table::kNoRcpt, table::kYes,    table::kOnlyBdat}, false, true, false},
    {Verb::kBdat,     {table::kGreet,  table::kNoMail, table::kNoRcpt, table::kYes,    table::kYes},    false, true,  true},
    {Verb::kRset,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    false, false, false},
    {Verb::kNoop,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    true,  false, true},
    {Verb::kQuit,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    true,  false, false},
    {Verb::kVrfy,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    false, false, true},
    {Verb::kExpn,     {table::kNone,   table::kNone,   table::kNone,   table::kNone,   table::kNone},   false, false, true},
    {Verb::kHelp,     {table::kYes,    table::kYes,    table::kYes,    table::kYes,    table::kYes},    false, false, true},
    {Verb::kEtrn,     {table::kNone,   table::kNone,   table::kNone,   table::kNone,   table::kNone},   false, false, true},
    {Verb::kTurn,     {table::kNone,   table::kNone,   table::kNone,   table::kNone,   table::kNone},   false, false, true},
    {Verb::kUnknown,  {table::kWhat,   table::kWhat,   table::kWhat,   table::kWhat,   table::kWhat},   false, false, true},
}};
// clang-format on

}  // namespace gatepost::smtp
